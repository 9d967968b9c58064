//! What the system says of this process.

/// Of this process, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ProcessStats {
    pub cpu_seconds: f64,
    pub resident_bytes: u64,
    pub virtual_bytes: u64,
    pub threads: u64,
    pub open_files: u64,
    pub most_files: u64,
}

/// Linux tells times in hundredths of a second, on every architecture (`USER_HZ`).
#[cfg(target_os = "linux")]
const TICKS_PER_SECOND: f64 = 100.0;

impl ProcessStats {
    /// As it is now; nothing where the system does not tell.
    #[cfg(target_os = "linux")]
    pub fn read() -> Option<Self> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let open_files = std::fs::read_dir("/proc/self/fd").ok()?.count();
        let (most_files, _) = rlimit::Resource::NOFILE.get().ok()?;
        Some(Self {
            open_files: open_files as u64,
            most_files,
            ..parse(&status, &stat)?
        })
    }

    /// Elsewhere the system is not asked.
    #[cfg(not(target_os = "linux"))]
    pub fn read() -> Option<Self> {
        None
    }
}

#[cfg(target_os = "linux")]
fn parse(status: &str, stat: &str) -> Option<ProcessStats> {
    let number = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    // the name of the program may have anything in it, also brackets
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: Vec<u64> = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map_while(|ticks| ticks.parse().ok())
        .collect();
    let [user, system] = ticks[..] else {
        return None;
    };
    Some(ProcessStats {
        cpu_seconds: (user + system) as f64 / TICKS_PER_SECOND,
        resident_bytes: number("VmRSS:")? << 10,
        virtual_bytes: number("VmSize:")? << 10,
        threads: number("Threads:")?,
        ..ProcessStats::default()
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_the_system_writes_it() {
        let status = "Name:\ta) b\nVmSize:\t  2048 kB\nVmRSS:\t    12 kB\nThreads:\t3\n";
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 150 25 0 0 20 0 3 0 99 2097152 3 1";
        let expected = ProcessStats {
            cpu_seconds: 1.75,
            resident_bytes: 12 << 10,
            virtual_bytes: 2 << 20,
            threads: 3,
            ..ProcessStats::default()
        };
        assert_eq!(parse(status, stat), Some(expected));
        assert_eq!(parse(status, "7 (a) S 1"), None);
        let now = ProcessStats::read().unwrap();
        assert!(now.resident_bytes > 1 << 20 && now.threads > 0 && now.open_files > 2);
    }
}
