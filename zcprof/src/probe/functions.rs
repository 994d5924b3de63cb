//! Functions of the running kernel, by address.

use anyhow::Result;

use super::symbols::each_function;

/// All functions. It takes some 40 bytes for each of some 150,000.
#[derive(Default)]
pub struct FunctionTable {
    /// By rising address, each once.
    begins: Vec<Begin>,
    /// The name of each, with a line's end behind it.
    names: String,
    /// Names of modules, in the order of /proc/kallsyms, which lists a module's functions together.
    modules: Vec<String>,
}

/// Where a function begins.
struct Begin {
    address: u64,
    /// Where its name begins.
    name: u32,
    /// Its module's number.
    module: u32,
}

/// A function, as /proc/kallsyms has it.
#[derive(Debug, PartialEq, Eq)]
pub struct KernelFunction<'a> {
    /// Its name.
    pub name: &'a str,
    /// The module that it is of; empty for the kernel itself.
    pub module: &'a str,
}

impl FunctionTable {
    /// Reads them.
    ///
    /// # Errors
    /// /proc/kallsyms cannot be read.
    pub fn read() -> Result<Self> {
        let mut table = Self::default();
        each_function(|name, module, address| table.add(name, module, address))?;
        table.sort();
        Ok(table)
    }

    fn add(&mut self, name: &str, module: Option<&str>, address: u64) {
        let module = module.unwrap_or_default();
        if self.modules.last().is_none_or(|last| last != module) {
            self.modules.push(module.to_owned());
        }
        let places = [self.names.len(), self.modules.len() - 1].map(u32::try_from);
        if let [Ok(name_at), Ok(module)] = places {
            self.names.push_str(name);
            self.names.push('\n');
            self.begins.push(Begin { address, name: name_at, module });
        }
    }

    /// Of several names of one address the first is kept.
    fn sort(&mut self) {
        self.begins.sort_by_key(|begin| begin.address);
        self.begins.dedup_by_key(|begin| begin.address);
    }

    /// The function that an address is in: the last that begins there or before. None before the first.
    #[must_use]
    pub fn find(&self, address: u64) -> Option<KernelFunction<'_>> {
        let end = self.begins.partition_point(|begin| begin.address <= address);
        let begin = self.begins[..end].last()?;
        let name = self.names.get(begin.name as usize..)?.lines().next()?;
        Some(KernelFunction { name, module: self.modules.get(begin.module as usize)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_the_function_that_begins_last_before_it() {
        let mut table = FunctionTable::default();
        assert_eq!(table.find(u64::MAX), None);
        for (name, module, address) in [
            ("tcp_push", None, 0x100),
            ("tcp_sendmsg_locked", None, 0x140),
            ("an_alias", None, 0x140),
            ("tls_push", Some("tls"), 0x900),
            ("nf_hook", Some("nf_tables"), 0x500),
        ] {
            table.add(name, module, address);
        }
        table.sort();
        let of = |name, module| Some(KernelFunction { name, module });
        assert_eq!(table.find(0xff), None);
        assert_eq!(table.find(0x13f), of("tcp_push", ""));
        assert_eq!(table.find(0x140), of("tcp_sendmsg_locked", ""));
        assert_eq!(table.find(0x4ff), of("tcp_sendmsg_locked", ""));
        assert_eq!(table.find(0x501), of("nf_hook", "nf_tables"));
        assert_eq!(table.find(u64::MAX), of("tls_push", "tls"));
    }
}
