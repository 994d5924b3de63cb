//! Whether kprobes that were attached are still armed, where the kernel says so.

use std::fs;

/// Where root may see them, if debugfs is mounted (kernel/kprobes.c): whether any is armed, and all
/// of them, such as `ffffffff8d2c1b10  k  filemap_read+0x0    [DISABLED][FTRACE]`.
const ENABLED: &str = "/sys/kernel/debug/kprobes/enabled";
const LIST: &str = "/sys/kernel/debug/kprobes/list";

/// Those of the functions at which no armed kprobe is any more. None where the kernel does not say;
/// the closing controls fail then.
pub(super) fn gone<'a>(functions: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    match (fs::read_to_string(ENABLED), fs::read_to_string(LIST)) {
        (Ok(enabled), Ok(list)) => unarmed(functions, enabled.trim() == "1", &list),
        _ => Vec::new(),
    }
}

fn unarmed<'a>(
    functions: impl Iterator<Item = &'a str>,
    enabled: bool,
    list: &str,
) -> Vec<&'a str> {
    let armed: Vec<&str> = list
        .lines()
        .filter(|line| enabled && !line.contains("[GONE]") && !line.contains("[DISABLED]"))
        .filter_map(|line| line.split_whitespace().nth(2)?.split('+').next())
        .collect();
    functions.filter(|function| !armed.contains(function)).collect()
}

#[cfg(test)]
mod tests {
    use super::unarmed;

    const LIST: &str = "ffffffff8d2c1b10  k  filemap_read+0x0    [FTRACE]
ffffffff8d2c1b11  r  pipe_read+0x0    [DISABLED]
ffffffffc02c1b11  k  do_sendfile+0x0  tls [GONE]
";

    #[test]
    fn what_is_gone_disabled_or_not_there_is_not_armed() {
        let all = ["filemap_read", "pipe_read", "do_sendfile", "tcp_sendmsg_locked"];
        let found = unarmed(all.into_iter(), true, LIST);
        assert_eq!(found, ["pipe_read", "do_sendfile", "tcp_sendmsg_locked"]);
        assert_eq!(unarmed(all.into_iter(), false, LIST), all);
    }
}
