//! Who may use what not everybody may.

use actix_web::HttpRequest;
use synod::node::BackupAccess;

use crate::fault::Fault;

/// Lets a request pass, or says which key of the configuration forbids it: the node `does` that for its own machine only, or for nobody.
pub(crate) fn admit(request: &HttpRequest, access: BackupAccess, key: &str, does: &str) -> Result<(), Fault> {
    let near = request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    match access {
        BackupAccess::Anybody => Ok(()),
        BackupAccess::Loopback if near => Ok(()),
        BackupAccess::Loopback => {
            Err(Fault::Forbidden(format!("this node {does} from its own machine only ({key})")))
        }
        BackupAccess::Nobody => {
            Err(Fault::Forbidden(format!("this node {does} by nobody over HTTP ({key})")))
        }
    }
}
