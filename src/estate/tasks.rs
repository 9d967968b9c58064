//! What sessions did to each machine.

use super::{Caller, Failure, SessionKey, View, console::Rows};
use crate::{
    uid::SessionUid,
    upstream::enterprise_manager::task_session::{SESSIONS_PER_REQUEST, TaskSession},
};
use futures_util::future::join_all;
use std::collections::{BTreeSet, HashMap};

impl Caller {
    /// The tasks of these sessions, which the caller was given.
    pub async fn tasks_of_sessions(
        &self,
        sessions: &[SessionKey],
    ) -> HashMap<SessionKey, Result<Rows<TaskSession>, Failure>> {
        let mut answers = HashMap::with_capacity(sessions.len());
        for history in self.histories() {
            let wanted: BTreeSet<SessionUid> = sessions
                .iter()
                .filter(|key| key.upstream == history.id())
                .map(|key| key.session)
                .collect();
            let wanted: Vec<SessionUid> = wanted.into_iter().collect();
            let reads = wanted
                .chunks(SESSIONS_PER_REQUEST)
                .map(|chunk| history.tasks_of_sessions(chunk));
            for (sessions, read) in join_all(reads).await.into_iter().flatten() {
                for session in sessions {
                    let rows = |snapshot| {
                        let view = View::<TaskSession>::whole(snapshot);
                        let rows = view.pick(view.index().session.of(&session)).collect();
                        Rows {
                            rows,
                            problem: view.problem().cloned(),
                        }
                    };
                    let key = SessionKey {
                        upstream: history.id(),
                        session,
                    };
                    answers.insert(key, read.clone().map(rows));
                }
            }
        }
        answers
    }
}
