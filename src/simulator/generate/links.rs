//! Who reads whom: tape jobs and backup copy jobs, each on its own server.

use super::{DEFAULT_REPOSITORY, Dice};
use crate::simulator::estate::{Estate, Link};
use uuid::Uuid;

pub(super) fn links(estate: &mut Estate, dice: &mut Dice, count: usize) {
    let of_kind = |estate: &Estate, server: usize, kinds: &[&str]| -> Vec<usize> {
        (0..estate.jobs.len())
            .filter(|place| {
                estate.jobs[*place].server == server && kinds.contains(&estate.jobs[*place].kind)
            })
            .collect()
    };
    let tape_jobs: Vec<usize> = (0..estate.jobs.len())
        .filter(|place| estate.jobs[*place].kind == "BackupToTape")
        .collect();
    for turn in 0..count * 4 {
        if estate.tape_links.len() >= count {
            break;
        }
        let job = tape_jobs[turn % tape_jobs.len()];
        let server = estate.jobs[job].server;
        let linked = if turn % 11 == 7 {
            // a job that is gone
            dice.uid()
        } else {
            let candidates = of_kind(
                estate,
                server,
                &[
                    "AgentBackupJob",
                    "AgentBackupJob",
                    "AgentPolicy",
                    "BackupVm",
                    "BackupCopy",
                ],
            );
            match candidates.is_empty() {
                true => dice.uid(),
                false => estate.jobs[dice.pick(&candidates)].uid,
            }
        };
        let link = Link {
            server,
            job,
            linked,
        };
        if !estate.tape_links.contains(&link) {
            estate.tape_links.push(link);
        }
    }
    for (turn, job) in tape_jobs
        .iter()
        .enumerate()
        .filter(|(turn, _)| turn % 3 == 1)
    {
        let server = estate.jobs[*job].server;
        estate.tape_repositories.push((
            *job,
            if turn % 2 == 0 {
                DEFAULT_REPOSITORY
            } else {
                estate.repositories[server * 2 + 1].uid
            },
        ));
    }
    let copies: Vec<usize> = (0..estate.jobs.len())
        .filter(|place| estate.jobs[*place].kind == "BackupCopy")
        .collect();
    for job in copies {
        let server = estate.jobs[job].server;
        let candidates = of_kind(estate, server, &["AgentBackupJob", "BackupVm"]);
        for _ in 0..2 {
            if candidates.is_empty() {
                break;
            }
            let link = Link {
                server,
                job,
                linked: estate.jobs[dice.pick(&candidates)].uid,
            };
            if !estate.copy_links.contains(&link) {
                estate.copy_links.push(link);
            }
        }
    }
}

/// Simple backup copies: neighbours on their server, and now and then a job that is gone. Without
/// dice, so that the rest of an estate does not depend on them.
pub(super) fn simple_copies(estate: &mut Estate) {
    let is_copied = |kind: &str| matches!(kind, "AgentBackupJob" | "BackupVm" | "BackupFile");
    for job in (0..estate.jobs.len()).filter(|place| estate.jobs[*place].kind == "SimpleBackupCopy")
    {
        let server = estate.jobs[job].server;
        let copied = estate
            .jobs
            .iter()
            .filter(|other| other.server == server && is_copied(other.kind))
            .map(|other| other.uid);
        let gone = (job % 5 == 2).then(|| Uuid::from_u128(estate.jobs[job].uid.as_u128() ^ 1));
        let links = copied.skip(job % 3).take(2).chain(gone).map(|linked| Link {
            server,
            job,
            linked,
        });
        estate.simple_copy_links.extend(links);
    }
}
