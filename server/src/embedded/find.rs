//! Where PostgreSQL's programs are. The order is decided here without touching a disk: the disk
//! comes in as [`Files`].

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest major version whose SQL the migrations are written for.
pub(super) const MAJOR_MIN: u32 = 13;

/// What every folder of programs must hold. `pg_ctl` tells a server's folder from a client's.
const PROGRAMS: [&str; 3] = ["postgres", "initdb", "pg_ctl"];

/// Folders that hold a folder per version: parent, prefix of the version's folder, the rest.
const INSTALLED: [(&str, &str, &str); 8] = [
    ("/usr/lib/postgresql", "", "bin"),          // Debian, Ubuntu
    ("/usr", "pgsql-", "bin"),                   // PostgreSQL's own packages for Fedora, RHEL, SUSE
    ("/usr/libexec", "postgresql", ""),          // Alpine
    ("/opt/homebrew/opt", "postgresql@", "bin"), // Homebrew, Apple silicon
    ("/usr/local/opt", "postgresql@", "bin"),    // Homebrew, Intel
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql@", "bin"),
    ("/Library/PostgreSQL", "", "bin"), // EnterpriseDB, macOS
    ("/opt/PostgreSQL", "", "bin"),     // EnterpriseDB, Linux
];

/// A folder of programs and their version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    pub(super) folder: PathBuf,
    pub(super) major: u32,
}

/// The questions that finding asks a file system.
pub(super) trait Files {
    /// Names in a folder; none when there is no such folder.
    fn names(&self, folder: &Path) -> Vec<String>;
    /// The path without symbolic links, if it is there.
    fn real(&self, path: &Path) -> Option<PathBuf>;
    /// The major version that the `postgres` at this path answers.
    fn major(&self, postgres: &Path) -> Option<u32>;
}

/// The programs in `folder`, if all are there and new enough.
pub(super) fn in_folder(files: &dyn Files, folder: &Path) -> Option<Binaries> {
    if !PROGRAMS.iter().all(|name| files.real(&folder.join(name)).is_some()) {
        return None;
    }
    let major = files.major(&folder.join("postgres")).filter(|major| *major >= MAJOR_MIN)?;
    Some(Binaries { folder: folder.to_owned(), major })
}

/// The first that will do: beside the `initdb` of each folder of `search_path` (a link is followed,
/// a wrapper without a server beside it is passed over), then what packages install, newest first.
pub(super) fn find(files: &dyn Files, search_path: Option<OsString>) -> Option<Binaries> {
    let search_path = search_path.unwrap_or_default();
    let on_path = std::env::split_paths(&search_path)
        .filter(|folder| folder.is_absolute())
        .filter_map(|folder| Some(files.real(&folder.join("initdb"))?.parent()?.to_owned()));
    let mut installed: Vec<(u32, PathBuf)> = Vec::new();
    for (parent, prefix, rest) in INSTALLED {
        for name in files.names(Path::new(parent)) {
            let version = name.strip_prefix(prefix).and_then(leading_number);
            if let Some(version) = version {
                installed.push((version, Path::new(parent).join(&name).join(rest)));
            }
        }
    }
    // Stable: of equal versions the first of the table wins.
    installed.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    on_path
        .chain(installed.into_iter().map(|(_, folder)| folder))
        .find_map(|folder| in_folder(files, &folder))
}

/// `17` of `17`, `17.5` and `17rc1`.
pub(super) fn leading_number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end)?.parse().ok()
}

/// The machine's own file system.
pub(super) struct Disk;

impl Files for Disk {
    fn names(&self, folder: &Path) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    fn real(&self, path: &Path) -> Option<PathBuf> {
        path.canonicalize().ok().filter(|path| path.is_file())
    }

    fn major(&self, postgres: &Path) -> Option<u32> {
        // `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`; works as root too.
        let output = Command::new(postgres).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.split_whitespace().find_map(leading_number)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Paths, each with what it links to (or itself), and versions by folder.
    struct Fake {
        links: BTreeMap<PathBuf, PathBuf>,
        majors: BTreeMap<PathBuf, u32>,
    }

    impl Files for Fake {
        fn names(&self, folder: &Path) -> Vec<String> {
            let below = self.links.keys().filter_map(|path| path.strip_prefix(folder).ok());
            let first = below.filter_map(|path| path.components().next());
            let mut names: Vec<String> =
                first.map(|name| name.as_os_str().to_string_lossy().into_owned()).collect();
            names.dedup();
            names
        }

        fn real(&self, path: &Path) -> Option<PathBuf> {
            self.links.get(path).cloned()
        }

        fn major(&self, postgres: &Path) -> Option<u32> {
            self.majors.get(postgres.parent()?).copied()
        }
    }

    /// Lines: `FOLDER VERSION` (all three programs), `PATH` (a file), `PATH -> PATH` (a link).
    fn check(path: &str, listing: &str, expect: Option<&str>) {
        let mut fake = Fake { links: BTreeMap::new(), majors: BTreeMap::new() };
        for line in listing.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match line.split_whitespace().collect::<Vec<_>>().as_slice() {
                [from, "->", to] => {
                    fake.links.insert(from.into(), to.into());
                }
                [folder, version] => {
                    fake.majors.insert(folder.into(), version.parse().unwrap());
                    for name in PROGRAMS {
                        let path = Path::new(folder).join(name);
                        fake.links.insert(path.clone(), path);
                    }
                }
                [file] => {
                    fake.links.insert(file.into(), file.into());
                }
                other => panic!("{other:?}"),
            }
        }
        let found = find(&fake, Some(path.into())).map(|found| found.folder);
        assert_eq!(found.as_deref(), expect.map(Path::new), "PATH={path}\n{listing}");
    }

    #[test]
    fn initdb_on_path_wins_over_a_newer_installed_one() {
        check(
            "/home/a/bin:/opt/pg14/bin",
            "/opt/pg14/bin 14
             /usr/lib/postgresql/17/bin 17",
            Some("/opt/pg14/bin"),
        );
    }

    #[test]
    fn a_link_on_path_leads_to_the_folder_of_the_programs() {
        check(
            "/usr/local/bin",
            "/usr/local/bin/initdb -> /usr/lib/postgresql/15/bin/initdb
             /usr/lib/postgresql/15/bin 15
             /usr/lib/postgresql/16/bin 16",
            Some("/usr/lib/postgresql/15/bin"),
        );
    }

    #[test]
    fn a_wrapper_on_path_without_a_server_beside_it_is_passed_over() {
        check(
            "/shims:/opt/pg13/bin",
            "/shims/initdb
             /opt/pg13/bin 13",
            Some("/opt/pg13/bin"),
        );
    }

    #[test]
    fn installed_folders_are_tried_newest_first_and_numerically() {
        check(
            "",
            "/usr/lib/postgresql/9.6/bin 9
             /usr/lib/postgresql/15/bin 15
             /usr/pgsql-17/bin 17
             /opt/homebrew/opt/postgresql@16/bin 16",
            Some("/usr/pgsql-17/bin"),
        );
    }

    #[test]
    fn a_version_below_13_will_not_do() {
        check("/old", "/old 12\n/usr/lib/postgresql/9.6/bin 9", None);
        check("/old", "/old 12\n/usr/lib/postgresql/13/bin 13", Some("/usr/lib/postgresql/13/bin"));
    }

    #[test]
    fn a_folder_with_clients_only_is_passed_over() {
        check(
            "",
            "/usr/lib/postgresql/17/bin/psql
             /usr/lib/postgresql/14/bin 14",
            Some("/usr/lib/postgresql/14/bin"),
        );
    }

    #[test]
    fn alpine_homebrew_and_enterprisedb_are_known() {
        check("", "/usr/libexec/postgresql17 17", Some("/usr/libexec/postgresql17"));
        check("", "/Library/PostgreSQL/16/bin 16", Some("/Library/PostgreSQL/16/bin"));
        let brew = "/usr/local/opt/postgresql@15/bin";
        check("", &format!("{brew} 15"), Some(brew));
    }

    #[test]
    fn a_relative_folder_on_path_is_never_run() {
        check("bin:.", "bin 17", None);
    }

    #[test]
    fn nothing_installed_is_nothing_found() {
        check("/usr/bin:/bin", "/usr/bin/psql", None);
    }
}
