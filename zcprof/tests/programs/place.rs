//! THE TABLE of places: where a program runs, and from where it is asked. A row of programs is the same
//! in each.

use std::fs;

use super::container::{Container, HOST, INSIDE, OUTSIDE, PLAIN, Way};
use super::image::ROOT;

/// A place that is set up.
pub(super) struct Place {
    /// What it is called.
    pub(super) name: &'static str,
    /// None if everything is in this process's network namespace.
    container: Option<Container>,
}

/// Who speaks with the program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    /// The host itself, over the bridge.
    Host,
    /// Somebody outside, who sees the host's address and not the container's.
    Outside,
}

impl Place {
    /// Everything is on one host, and nothing but its loopback device between.
    pub(super) const fn host() -> Self {
        Self { name: "on the host", container: None }
    }

    pub(super) fn container() -> Self {
        Self::by(Way { gro: true, ..PLAIN })
    }

    /// A container's place from which packets leave in a certain way.
    pub(super) fn by(way: Way) -> Self {
        Self { name: "in a container's place", container: Some(Container::new(way)) }
    }

    /// What has words run where the program does.
    pub(super) fn inside(&self) -> Vec<String> {
        in_root(self.container.as_ref().map(|it| it.inside.path()))
    }

    /// The same where those are who speak with it.
    pub(super) fn from(&self, asks: Asks) -> Vec<String> {
        let outside = self.container.as_ref().filter(|_| asks == Asks::Outside);
        in_root(outside.map(|it| it.outside.path()))
    }

    /// Where it is found by those who ask.
    pub(super) fn found_at(&self, asks: Asks) -> String {
        match (&self.container, asks) {
            (None, _) => "127.0.0.1".to_owned(),
            (Some(_), Asks::Host) => INSIDE.to_string(),
            (Some(_), Asks::Outside) => HOST.to_string(),
        }
    }

    /// Where it finds those whom it asks itself.
    pub(super) fn peer(&self) -> String {
        self.container.as_ref().map_or_else(|| "127.0.0.1".to_owned(), |_| OUTSIDE.to_string())
    }

    /// A file of /proc/net where the program runs; empty if there is none.
    pub(super) fn proc_net(&self, name: &str) -> String {
        let read = || fs::read_to_string(format!("/proc/thread-self/net/{name}"));
        let read = match &self.container {
            None => read(),
            Some(container) => container.inside.run(read),
        };
        read.unwrap_or_default()
    }
}

fn in_root(space: Option<String>) -> Vec<String> {
    let enter = space.map(|path| ["nsenter".to_owned(), format!("--net={path}")]);
    let root = ["chroot", ROOT].map(str::to_owned);
    enter.into_iter().flatten().chain(root).collect()
}
