//! `cargo xtask zcprof`: builds it and runs it, so that nobody needs to know where it is.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::cache::CacheFolder;
use crate::compile::{self, Optimised};
use crate::exit::Exit;
use crate::process;
use crate::setup::{self, Wants};

/// How a user of this program calls zcprof; zcprof says so in what it suggests.
const CALLED: &str = "cargo xtask zcprof";

/// Options of `zcprof`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// zcprof's words.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORDS")]
    words: Vec<String>,
}

/// Does `cargo xtask zcprof`.
pub(crate) fn command(options: &Options) -> Result<Exit> {
    let cache = CacheFolder::open()?;
    let ready = setup::ensure(&cache, &Wants { build: true, ..Wants::default() })?;
    let program = compile::zcprof(&ready, Optimised::Quickly)?;
    let status = process::run(called(&program).args(&options.words))?;
    Ok(Exit::of_code(status.code()))
}

/// The program under the name by which it can be called.
pub(crate) fn called(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg0(CALLED);
    command
}
