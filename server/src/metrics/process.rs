//! What the system knows of this process.

/// Bytes of memory and open files.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) resident_bytes: i64,
    pub(super) open_files: i64,
    pub(super) open_files_max: i64,
}

/// Asks the system; blocks for a moment. Zeros where it does not tell.
#[cfg(target_os = "linux")]
pub(super) fn usage() -> Usage {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split(' ').nth(1)?.parse::<i64>().ok())
        .unwrap_or_default();
    let page = i64::try_from(rustix::param::page_size()).unwrap_or_default();
    // The listing itself holds one.
    let files =
        std::fs::read_dir("/proc/self/fd").map_or(0, |files| files.count().saturating_sub(1));
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    Usage {
        resident_bytes: pages.saturating_mul(page),
        open_files: whole(files as u64),
        open_files_max: most.map_or(i64::MAX, whole),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn usage() -> Usage {
    Usage::default()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory_and_files() {
        let before = usage();
        assert!(before.resident_bytes > 1 << 20 && before.open_files > 2, "{before:?}");
        let _more: Vec<_> = (0..64).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        assert!(usage().open_files >= 64);
    }
}
