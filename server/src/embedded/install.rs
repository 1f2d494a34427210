//! What to install when no PostgreSQL can be had: a sentence per system.

/// Ids of `/etc/os-release` (or ours) and the sentence.
const SENTENCES: [(&[&str], &str); 6] = [
    (&["debian", "ubuntu"], "Debian, Ubuntu: sudo apt install postgresql"),
    (&["fedora", "rhel", "centos"], "Fedora, RHEL: sudo dnf install postgresql-server"),
    (&["alpine"], "Alpine: sudo apk add postgresql"),
    (&["arch"], "Arch: sudo pacman -S postgresql"),
    (&["macos"], "macOS: brew install postgresql@17"),
    (
        &["windows"],
        "Windows: run the server inside WSL, or give --database-url of a PostgreSQL server",
    ),
];

/// The sentence for this system, or all of them when it is none we know.
pub(super) fn advice() -> String {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    for_system(std::env::consts::OS, &release)
}

fn for_system(system: &str, release: &str) -> String {
    let ids = release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
        .flat_map(|value| value.trim_matches(['"', '\'']).split_whitespace())
        .chain([system]);
    for id in ids {
        if let Some((_, sentence)) = SENTENCES.iter().find(|(known, _)| known.contains(&id)) {
            return format!("install it and try again: {sentence}");
        }
    }
    let all: Vec<&str> = SENTENCES.iter().map(|(_, sentence)| *sentence).collect();
    format!("install it and try again: {}", all.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(system: &str, release: &str, expect: &str) {
        let advice = for_system(system, release);
        assert!(advice.contains(expect), "{advice}");
        assert!(!advice.contains("; "), "one system, one sentence: {advice}");
    }

    #[test]
    fn every_known_system_is_told_its_own_command() {
        check("linux", "NAME=\"Debian\"\nID=debian\n", "apt install postgresql");
        check("linux", "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", "apt install postgresql");
        check("linux", "ID=fedora\n", "dnf install postgresql-server");
        check("linux", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", "dnf install");
        check("linux", "ID=alpine\n", "apk add postgresql");
        check("linux", "ID=manjaro\nID_LIKE=arch\n", "pacman -S postgresql");
        check("macos", "", "brew install postgresql");
        check("windows", "", "--database-url");
    }

    #[test]
    fn an_unknown_system_is_told_all() {
        let advice = for_system("linux", "ID=plan9\n");
        assert_eq!(advice.split("; ").count(), SENTENCES.len(), "{advice}");
    }
}
