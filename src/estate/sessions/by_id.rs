//! One session by its id, which whoever asks may have guessed.

use super::MatchedSession;
use crate::{
    estate::{Caller, Failure, RowRef, UpstreamId, history::History},
    uid::SessionUid,
    upstream::enterprise_manager::session::Session,
};

impl Caller {
    /// One session by id: in one Enterprise Manager, or in whichever has it.
    pub async fn session(
        &self,
        uid: SessionUid,
        history: Option<UpstreamId>,
    ) -> Result<Option<MatchedSession>, Failure> {
        let mut problem = None;
        for history in self
            .histories()
            .iter()
            .filter(|candidate| history.is_none_or(|id| candidate.id() == id))
        {
            let found = if self.principal.sees_all_of(history.name()) {
                match history.session(uid).await {
                    Ok(Some(row)) => self.matched(history, row).await,
                    Ok(None) => Ok(None),
                    Err(failure) => Err(failure),
                }
            } else {
                self.session_within(history, uid).await
            };
            match found {
                Ok(Some(session)) => return Ok(Some(session)),
                Ok(None) => {}
                Err(failure) => problem = Some(failure),
            }
        }
        problem.map_or(Ok(None), Err)
    }

    /// A session as the caller may see it, if it may.
    async fn matched(
        &self,
        history: &History,
        row: RowRef<Session>,
    ) -> Result<Option<MatchedSession>, Failure> {
        // A session of the window is matched there; one from outside is matched alone, by what it
        // says of itself.
        if history.has_sessions()
            && let Ok(correlated) = self.correlated(history).await
            && let Some(known) = correlated
                .view
                .index()
                .uid
                .of(&row.uid)
                .first()
                .and_then(|place| correlated.at(*place))
        {
            return Ok(Some(MatchedSession { row, ..known }));
        }
        let alone = self.correlate_few(history, row.snapshot().clone()).await;
        match (alone.at(row.place()), alone.view.problem()) {
            (None, Some(problem)) => Err(problem.clone()),
            (found, _) => Ok(found),
        }
    }

    /// One session for a caller who does not see all of them. What is read, and what could not be,
    /// must not depend on whether the id is another's or nobody's: what the window does not show to
    /// this caller is asked for each time, and whatever comes is held against the consoles.
    async fn session_within(
        &self,
        history: &History,
        uid: SessionUid,
    ) -> Result<Option<MatchedSession>, Failure> {
        if history.has_sessions()
            && let Ok(correlated) = self.correlated(history).await
            && let Some(known) = correlated
                .view
                .index()
                .uid
                .of(&uid)
                .first()
                .and_then(|place| correlated.at(*place))
        {
            return Ok(Some(known));
        }
        let alone = self
            .correlate_few(history, history.session_anew(uid).await?)
            .await;
        let found = alone
            .view
            .index()
            .uid
            .of(&uid)
            .first()
            .and_then(|place| alone.at(*place));
        match (found, alone.view.problem().or(alone.unmapped.as_ref())) {
            (None, Some(problem)) => Err(problem.clone()),
            (found, _) => Ok(found),
        }
    }
}
