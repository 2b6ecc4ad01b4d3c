//! The numbers of reliable delivery, each a type of its own.

use crate::types::number;

number!(
    /// All that one producer ever sends: of a durable one for as long as its disk lives, of another one for one start of its process.
    StreamId, "stream "
);
number!(
    /// A message's place in its stream, from 1 on.
    Sequence, "#"
);
number!(
    /// One way from a producer to a consumer, from when it is opened until either gives it up.
    ChannelId, "channel "
);
number!(
    /// A message's place in its channel, from 1 on.
    Position, "@"
);
number!(
    /// One life of a consumer: what it has seen is forgotten with it.
    ConsumerId, "consumer "
);
