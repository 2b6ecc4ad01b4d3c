//! Crate arrows: who may depend on whom, and on what from outside.
//!
//! A dev-dependency is judged leniently: it may be any outside crate, and any crate of the house that stands lower.

use toml::{Table, Value};

use crate::house::{Breach, House, Member};

/// What a crate of the house may depend on.
#[derive(Debug)]
pub(crate) struct Law {
    pub(crate) package: &'static str,
    /// How high it stands; a dev-dependency points downwards.
    floor: u8,
    /// The crates of the house it may name.
    house: &'static [&'static str],
    /// The crates from outside it may name.
    outside: Outside,
}

#[derive(Debug)]
enum Outside {
    /// These and no others: a leaf says what it is made of.
    Only(&'static [&'static str]),
    /// Anything that does not belong to a lower floor.
    Except(&'static [&'static str]),
}

/// QUIC and certificates are the transport's, the encoding and the actors' tables are the runtime's.
const OF_LOWER_FLOORS: &[&str] = &["quinn", "quinn-proto", "rcgen", "rmp-serde", "rmpv", "dashmap"];

/// The house, from the ground up.
pub(crate) const LAWS: &[Law] = &[
    Law {
        package: "synod-protocols",
        floor: 0,
        house: &[],
        outside: Outside::Only(&["serde", "bytes", "thiserror", "sha2", "blake3", "ed25519-dalek"]),
    },
    Law {
        package: "synod-transport",
        floor: 0,
        house: &[],
        outside: Outside::Only(&[
            "bytes",
            "futures-util",
            "getrandom",
            "quinn",
            "quinn-proto",
            "rcgen",
            "rustls",
            "rustls-webpki",
            "socket2",
            "thiserror",
            "time",
            "tokio",
            "tracing",
            "x509-parser",
        ]),
    },
    Law {
        package: "synod-macros",
        floor: 0,
        house: &[],
        outside: Outside::Only(&["syn", "quote", "proc-macro2"]),
    },
    Law {
        package: "synod",
        floor: 1,
        house: &["synod-macros", "synod-protocols", "synod-transport"],
        outside: Outside::Except(&["quinn", "quinn-proto", "rcgen", "rmpv", "actix-web", "clap"]),
    },
    Law { package: "synod-gateway", floor: 2, house: &["synod"], outside: Outside::Except(OF_LOWER_FLOORS) },
    Law {
        package: "synod-cli",
        floor: 3,
        house: &["synod", "synod-gateway"],
        outside: Outside::Except(OF_LOWER_FLOORS),
    },
    Law {
        package: "synod-samples",
        floor: 3,
        house: &["synod", "synod-gateway"],
        outside: Outside::Except(OF_LOWER_FLOORS),
    },
];

/// Judges the manifest of every member.
pub(crate) fn judge(house: &House, found: &mut Vec<Breach>) {
    for member in &house.members {
        let path = format!("{}/Cargo.toml", member.folder);
        let Some(law) = law(&member.name) else {
            found.push(Breach::new(&path, 1, "arrow", format!("no law knows the crate `{}`", member.name)));
            continue;
        };
        for (section, dependencies) in sections(&member.manifest) {
            for (key, value) in dependencies {
                let package = package(key, value, &house.shared);
                if let Some(what) = verdict(law, section, package) {
                    found.push(Breach::new(&path, line_of(member, key), "arrow", what));
                }
            }
        }
    }
}

fn law(package: &str) -> Option<&'static Law> {
    LAWS.iter().find(|law| law.package == package)
}

/// Why `law` forbids `package` in `section`, if it does.
fn verdict(law: &Law, section: Section, package: &str) -> Option<String> {
    let ours = self::law(package);
    match (section, ours) {
        (Section::Dev, Some(other)) if other.floor >= law.floor => {
            Some(format!("{} is tested with {package}, which does not stand below it", law.package))
        }
        (Section::Dev, _) => None,
        (Section::Build, _) => Some(format!("{} has a build dependency, {package}", law.package)),
        (Section::Normal, Some(_)) if law.house.contains(&package) => None,
        (Section::Normal, Some(_)) => Some(format!("{} may not know {package}", law.package)),
        (Section::Normal, None) => match &law.outside {
            Outside::Only(allowed) if allowed.contains(&package) => None,
            Outside::Only(allowed) => {
                Some(format!("{} may not use {package}, only {}", law.package, allowed.join(", ")))
            }
            Outside::Except(banned) if banned.contains(&package) => {
                Some(format!("{} may not use {package}, which belongs to another floor", law.package))
            }
            Outside::Except(_) => None,
        },
    }
}

#[derive(Clone, Copy, Debug)]
enum Section {
    Normal,
    Dev,
    Build,
}

/// Every dependency table of a manifest, those of `[target.…]` included.
fn sections(manifest: &Table) -> Vec<(Section, &Table)> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let tables = targets.into_iter().flat_map(|t| t.values()).filter_map(Value::as_table);
    let kinds = [
        ("dependencies", Section::Normal),
        ("dev-dependencies", Section::Dev),
        ("build-dependencies", Section::Build),
    ];
    std::iter::once(manifest)
        .chain(tables)
        .flat_map(|table| kinds.map(|(name, section)| (section, table.get(name).and_then(Value::as_table))))
        .filter_map(|(section, table)| Some((section, table?)))
        .collect()
}

/// The package behind a key: a dependency may be renamed, here or in the workspace.
fn package<'a>(key: &'a str, value: &'a Value, shared: &'a Table) -> &'a str {
    let named = |value: &'a Value| value.get("package").and_then(Value::as_str);
    named(value).or_else(|| shared.get(key).and_then(named)).unwrap_or(key)
}

fn line_of(member: &Member, key: &str) -> usize {
    let starts = |line: &str| {
        let rest = line.trim_start().strip_prefix(key);
        rest.is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
    };
    member.manifest_text.lines().position(starts).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod proof {
    use crate::house::House;
    use crate::tree::Tree;

    fn lines(package: &str, dependencies: &str) -> Vec<String> {
        let manifest = format!("[package]\nname = \"{package}\"\n{dependencies}");
        let tree = Tree::of(&[
            (
                "Cargo.toml",
                "[workspace]\nmembers = [\"a\"]\n[workspace.dependencies]\nclock = { package = \"tokio\", version = \"1\" }",
            ),
            ("a/Cargo.toml", &manifest),
        ]);
        let (house, mut found) = House::enter(&tree);
        super::judge(&house, &mut found);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_leaf_may_not_know_another_leaf() {
        let found =
            lines("synod-protocols", "[dependencies]\nserde = \"1\"\nsynod-transport.workspace = true");
        assert_eq!(found, ["a/Cargo.toml:5: arrow: synod-protocols may not know synod-transport"]);
    }

    #[test]
    fn a_leaf_is_made_of_what_its_law_lists_even_under_another_name() {
        let found = lines("synod-protocols", "[dependencies]\nclock.workspace = true");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("a/Cargo.toml:4: arrow: synod-protocols may not use tokio"),
            "{found:?}"
        );
        let found = lines("synod-transport", "[target.'cfg(unix)'.dependencies]\nactix = \"0.13\"");
        assert!(
            found[0].starts_with("a/Cargo.toml:4: arrow: synod-transport may not use actix"),
            "{found:?}"
        );
    }

    #[test]
    fn gateway_cli_and_samples_reach_the_leaves_through_the_runtime() {
        for package in ["synod-gateway", "synod-cli", "synod-samples"] {
            for leaf in ["synod-protocols", "synod-transport", "synod-macros", "quinn", "rmp-serde"] {
                let found = lines(package, &format!("[dependencies]\n{leaf} = \"1\""));
                assert_eq!(found.len(), 1, "{package} with {leaf}: {found:?}");
            }
        }
        assert!(lines("synod-samples", "[dependencies]\nsynod = \"1\"\nsynod-gateway = \"1\"").is_empty());
        assert_eq!(lines("synod-gateway", "[dependencies]\nsynod-cli = \"1\"").len(), 1);
    }

    #[test]
    fn a_dev_dependency_points_down_and_may_be_any_outside_crate() {
        assert!(lines("synod-protocols", "[dev-dependencies]\nproptest = \"1\"").is_empty());
        assert!(lines("synod-gateway", "[dev-dependencies]\nsynod-transport = \"1\"").is_empty());
        assert_eq!(lines("synod-protocols", "[dev-dependencies]\nsynod = \"1\"").len(), 1);
        assert_eq!(lines("synod-protocols", "[build-dependencies]\ncc = \"1\"").len(), 1);
    }

    #[test]
    fn a_crate_without_a_law_is_refused() {
        assert_eq!(
            lines("synod-extras", ""),
            ["a/Cargo.toml:1: arrow: no law knows the crate `synod-extras`"]
        );
    }
}
