%% Erlang beside synod: tells that the receivers count, asks with a fixed number under way; a line of JSON for each figure.
-module(versus_peer).
-export([answer/0, measure/1]).

-define(TARGETS, 64).
-define(ROUND, 10000).
-define(ROUND_BYTES, 16777216).

answer() ->
    [register(name(N), spawn(fun() -> sink(0) end)) || N <- lists:seq(0, ?TARGETS - 1)],
    receive stop -> ok end.

sink(Count) ->
    receive
        {tell, _} -> sink(Count + 1);
        {ask, From, Ref, Payload} -> From ! {Ref, Payload}, sink(Count);
        {count, From, Ref} -> From ! {Ref, Count}, sink(Count)
    end.

name(N) -> list_to_atom("sink_" ++ integer_to_list(N)).

measure([Node, Milliseconds]) ->
    Other = list_to_atom(Node),
    Each = list_to_integer(Milliseconds),
    Sinks = [find(Other, name(N), 200) || N <- lists:seq(0, ?TARGETS - 1)],
    [tells(Name, lists:sublist(Sinks, Senders), Bytes, Each)
     || {Name, Senders, Bytes} <- [{"remote_tell_1", 1, 64}, {"remote_tell_64", ?TARGETS, 64},
                                   {"remote_tell_1k", 1, 1024}, {"remote_tell_64k", 1, 65536}]],
    [asks(hd(Sinks), AtOnce, Each) || AtOnce <- [1, 64, 1024]],
    halt(0).

%% The process itself: a name would be looked up for every message.
find(_, _, 0) -> halt(1);
find(Node, Name, Tries) ->
    case net_adm:ping(Node) of
        pang -> timer:sleep(50), find(Node, Name, Tries - 1);
        pong ->
            case rpc:call(Node, erlang, whereis, [Name]) of
                Pid when is_pid(Pid) -> Pid;
                _ -> timer:sleep(50), find(Node, Name, Tries - 1)
            end
    end.

count(Sink) -> count_answer(ask_count(Sink)).

ask_count(Sink) ->
    Ref = make_ref(),
    Sink ! {count, self(), Ref},
    Ref.

count_answer(Ref) -> receive {Ref, Count} -> Count end.

tells(Name, Sinks, Bytes, Each) ->
    _ = tell_for(Sinks, Bytes, Each div 2),
    {Told, Took} = tell_for(Sinks, Bytes, Each),
    say(Name, "messages/s", Told * 1.0e9 / Took).

tell_for(Sinks, Bytes, Each) ->
    Self = self(),
    Payload = binary:copy(<<7>>, Bytes),
    Round = max(1, min(?ROUND div length(Sinks), ?ROUND_BYTES div Bytes)),
    Began = erlang:monotonic_time(nanosecond),
    Until = Began + Each * 1000000,
    Senders = [spawn_monitor(fun() ->
        Before = count(Sink),
        Self ! {told, rounds(Sink, Payload, Round, Until, 0, none, Before)}
    end) || Sink <- Sinks],
    Told = lists:sum([receive {told, N} -> N; {'DOWN', _, _, _, Why} when Why =/= normal -> halt(1) end || _ <- Senders]),
    {Told, erlang:monotonic_time(nanosecond) - Began}.

%% Two rounds are under way.
rounds(Sink, Payload, Round, Until, Told, Earlier, Before) ->
    tell(Sink, Payload, Round),
    Ref = ask_count(Sink),
    case Earlier of none -> ok; _ -> count_answer(Earlier) end,
    case erlang:monotonic_time(nanosecond) < Until of
        true -> rounds(Sink, Payload, Round, Until, Told + Round, Ref, Before);
        false ->
            All = Told + Round,
            All = count_answer(Ref) - Before,
            All
    end.

tell(_, _, 0) -> ok;
tell(Sink, Payload, Left) ->
    Sink ! {tell, Payload},
    tell(Sink, Payload, Left - 1).

asks(Sink, AtOnce, Each) ->
    _ = ask_for(Sink, AtOnce, Each div 2),
    {Latencies, Took} = ask_for(Sink, AtOnce, Each),
    Sorted = list_to_tuple(lists:sort(Latencies)),
    Count = tuple_size(Sorted),
    Name = "remote_ask_" ++ integer_to_list(AtOnce),
    say(Name, "asks/s", Count * 1.0e9 / Took),
    [say(Name ++ Suffix, "us", element(max(1, ceil(Count * Part)), Sorted) / 1000)
     || {Part, Suffix} <- [{0.5, "_p50"}, {0.99, "_p99"}, {0.999, "_p999"}]].

ask_for(Sink, AtOnce, Each) ->
    Self = self(),
    Payload = binary:copy(<<7>>, 64),
    Began = erlang:monotonic_time(nanosecond),
    Until = Began + Each * 1000000,
    [spawn_link(fun() -> Self ! {asked, asking(Sink, Payload, Until, Began, [])} end) || _ <- lists:seq(1, AtOnce)],
    Latencies = lists:append([receive {asked, Some} -> Some end || _ <- lists:seq(1, AtOnce)]),
    {Latencies, erlang:monotonic_time(nanosecond) - Began}.

asking(_, _, Until, Asked, Latencies) when Asked >= Until -> Latencies;
asking(Sink, Payload, Until, _, Latencies) ->
    Asked = erlang:monotonic_time(nanosecond),
    Ref = make_ref(),
    Sink ! {ask, self(), Ref, Payload},
    receive {Ref, Payload} -> ok end,
    Answered = erlang:monotonic_time(nanosecond),
    asking(Sink, Payload, Until, Answered, [Answered - Asked | Latencies]).

say(Name, Unit, Value) ->
    io:format("{\"name\":\"~s\",\"unit\":\"~s\",\"value\":~f}~n", [Name, Unit, float(Value)]).
