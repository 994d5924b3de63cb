//! Notices a client that neither says nor takes anything.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How long one client may stay idle. There is one timer for each connection, set anew only when
/// it has run out: to set one for every step costs more than to note the time.
pub(super) struct Idle(Mutex<Deadline>);

#[derive(Clone, Copy)]
struct Deadline {
    /// What the client is expected to do.
    wanted: Awaited,
    /// Until when.
    deadline: Instant,
}

/// What a client is expected to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// Say something.
    Request,
    /// Take what was sent.
    Room,
}

impl Idle {
    pub(super) fn new(limit: Duration) -> Self {
        Self(Mutex::new(Deadline { wanted: Awaited::Request, deadline: Instant::now() + limit }))
    }

    /// From now on this is expected within so much time.
    pub(super) fn expect(&self, wanted: Awaited, within: Duration) {
        *self.state() = Deadline { wanted, deadline: Instant::now() + within };
    }

    /// Returns when the client has not done in time what was expected of it.
    pub(super) async fn exceeded(&self) -> Awaited {
        loop {
            let Deadline { wanted, deadline } = *self.state();
            if deadline <= Instant::now() {
                return wanted;
            }
            sleep_until(deadline).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, Deadline> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_client_is_noticed_and_a_slow_one_is_not() {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let step = Duration::from_mins(1);
            let idle = Idle::new(step * 3);
            let begun = Instant::now();
            let slow = async {
                for _ in 0..5 {
                    tokio::time::sleep(step).await;
                    idle.expect(Awaited::Room, step * 3);
                }
                std::future::pending::<()>().await;
            };
            let wanted = tokio::select! {
                wanted = idle.exceeded() => wanted,
                () = slow => Awaited::Request,
            };
            assert_eq!(wanted, Awaited::Room);
            assert!(begun.elapsed() >= step * 8, "its time began anew with every step");
        });
    }
}
