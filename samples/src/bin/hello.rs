//! One actor, two processes: the second one looks the actor up by name, over QUIC with mutual TLS, and asks it.
//!
//! ```sh
//! cargo run -p synod-samples --bin hello
//! cargo run -p synod-samples --bin hello -- --sim --seed 7
//! ```

use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use synod::prelude::*;
use synod::transport::{AUTHORITY_FILE, Role};
use synod_samples::{Stage, perform};

/// What travels: plain actix, plus a name that is the same in every version of every program.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "String")]
#[wire(id = "greeter.Greet")]
struct Greet {
    name: String,
}

// All that a caller has to know of the actor. It could stand in a crate of its own, without the actor.
interface!(Greeting = "greeter" { Greet });

/// The actor, which counts whom it has greeted. The derive opens its interface to the other nodes of the cluster.
#[derive(Default, Remote)]
#[remote(Greeting)]
struct Greeter {
    guests: u64,
}

impl Actor for Greeter {
    type Context = Context<Self>;
}

impl Handler<Greet> for Greeter {
    type Result = String;

    fn handle(&mut self, greet: Greet, _context: &mut Context<Self>) -> String {
        self.guests += 1;
        format!("Hello, {}! You are guest number {}.", greet.name, self.guests)
    }
}

const HOST: &str = "host";
const GUEST: &str = "guest";
const EXPECTED: &str = "Hello, guest! You are guest number 1.";

fn main() -> ExitCode {
    // The second process is this program again, told where the first one listens and where its own credential lies.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [word, address, directory] if word == "visit" => match visit(address, Path::new(directory)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("hello: the guest says: {error}");
                ExitCode::FAILURE
            }
        },
        _ => perform("hello", &[HOST, GUEST], hello),
    }
}

async fn hello(stage: Stage) -> Result<(), Box<dyn Error>> {
    match stage {
        Stage::Real => two_processes().await,
        Stage::Simulated(simulation) => two_nodes(&simulation).await,
    }
}

/// The first process: hosts the actor, and lets a second process visit it.
async fn two_processes() -> Result<(), Box<dyn Error>> {
    // An authority that lives as long as this program. A real cluster keeps one: `synod ca init`, `synod ca issue`.
    let authority = Authority::create("hello", Validity::days(1))?;
    let node = Node::builder("hello", HOST).tls(Identity::brief(&authority, HOST)?).start().await?;
    node.spawn("greeter", Greeter::default).await?;

    // The guest's credential goes through files, as it would between machines.
    let directory = tempfile::tempdir()?;
    let guest = PeerName::new(GUEST).ok_or("the guest's name is no name")?;
    authority.issue(&guest, Role::Member, Validity::days(1))?.save(directory.path())?;
    println!("process {} hosts the actor `greeter` at {}", std::process::id(), node.address());
    let mut visit = Command::new(std::env::current_exe()?);
    visit.arg("visit").arg(node.address().to_string()).arg(directory.path());
    let mut guest = visit.spawn()?;
    // The node's work goes on meanwhile: its network and its actors have threads of their own.
    let status = guest.wait()?;
    node.shutdown(Duration::from_secs(1)).await;
    if status.success() { Ok(()) } else { Err(format!("the second process failed: {status}").into()) }
}

/// The second process: a node of its own, that knows one address.
fn visit(address: &str, directory: &Path) -> Result<(), Box<dyn Error>> {
    System::new().block_on(async {
        let file = |name: &str| directory.join(name);
        let identity = Identity::load(
            &file(&format!("{GUEST}.pem")),
            &file(&format!("{GUEST}-key.pem")),
            &file(AUTHORITY_FILE),
        )?;
        let builder = Node::builder("hello", GUEST).tls(identity);
        let node = builder.join([address]).start().await?;
        let greeting = ask_for_greeting(&node).await?;
        println!("process {} was told: {greeting}", std::process::id());
        node.shutdown(Duration::from_secs(1)).await;
        Ok(())
    })
}

/// The same two nodes in virtual time: only what the builder is given differs.
async fn two_nodes(simulation: &Simulation) -> Result<(), Box<dyn Error>> {
    let [host, guest] = simulation.names() else { return Err("two nodes were announced".into()) };
    let node = Node::builder("hello", HOST).env(simulation.boot(host)).start().await?;
    node.spawn("greeter", Greeter::default).await?;
    let builder = Node::builder("hello", GUEST).env(simulation.boot(guest));
    let visitor = builder.join([node.address().to_string()]).start().await?;
    println!("the guest was told: {}", ask_for_greeting(&visitor).await?);
    Ok(())
}

async fn ask_for_greeting(node: &Node) -> Result<String, Box<dyn Error>> {
    let greeter: ActorRef<Greeting> = node.lookup("greeter").await?;
    // An ask that fails says why, and whether the message may have taken effect all the same.
    let greeting = greeter.ask(Greet { name: node.name().to_string() }).await?;
    if greeting == EXPECTED { Ok(greeting) } else { Err(format!("not what was expected: {greeting}").into()) }
}
