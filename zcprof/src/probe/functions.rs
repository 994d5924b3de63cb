//! Functions of the running kernel, by address.

use std::collections::HashMap;

use anyhow::Result;

use super::symbols::each_function;

/// All functions. It takes some 40 bytes for each of some 150,000.
#[derive(Default)]
pub struct FunctionTable {
    /// Sorted by address.
    begins: Vec<Begin>,
    /// The name of each, with a line's end behind it.
    names: String,
    /// Names of modules; the kernel itself comes first.
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
        let (mut table, mut numbers) = (Self::default(), HashMap::new());
        each_function(|name, module, address| table.add(name, module, address, &mut numbers))?;
        // Of several names of one address the first is taken.
        table.begins.sort_by_key(|begin| begin.address);
        Ok(table)
    }

    fn add(
        &mut self,
        name: &str,
        module: Option<&str>,
        address: u64,
        numbers: &mut HashMap<String, u32>,
    ) {
        let Ok(at) = u32::try_from(self.names.len()) else { return };
        let module = module.unwrap_or_default();
        let number = numbers.get(module).copied().unwrap_or_else(|| {
            let next = u32::try_from(self.modules.len()).unwrap_or(0);
            self.modules.push(module.to_owned());
            numbers.insert(module.to_owned(), next);
            next
        });
        self.names.push_str(name);
        self.names.push('\n');
        self.begins.push(Begin { address, name: at, module: number });
    }

    /// The function that an address is in: the last that begins there or before. None before the first.
    #[must_use]
    pub fn find(&self, address: u64) -> Option<KernelFunction<'_>> {
        let end = self.begins.partition_point(|begin| begin.address <= address);
        let last = self.begins[..end].last()?.address;
        let first = self.begins.partition_point(|begin| begin.address < last);
        let begin = &self.begins[first];
        let name = self.names.get(begin.name as usize..)?.lines().next()?;
        Some(KernelFunction { name, module: self.modules.get(begin.module as usize)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_the_function_that_begins_last_before_it() {
        let (mut table, mut numbers) = (FunctionTable::default(), HashMap::new());
        assert_eq!(table.find(u64::MAX), None);
        for (name, module, address) in [
            ("tcp_push", None, 0x100),
            ("tcp_sendmsg_locked", None, 0x140),
            ("an_alias", None, 0x140),
            ("tls_push", Some("tls"), 0x900),
            ("nf_hook", Some("nf_tables"), 0x500),
        ] {
            table.add(name, module, address, &mut numbers);
        }
        table.begins.sort_by_key(|begin| begin.address);
        let of = |name, module| Some(KernelFunction { name, module });
        assert_eq!(table.find(0xff), None);
        assert_eq!(table.find(0x13f), of("tcp_push", ""));
        assert_eq!(table.find(0x140), of("tcp_sendmsg_locked", ""));
        assert_eq!(table.find(0x4ff), of("tcp_sendmsg_locked", ""));
        assert_eq!(table.find(0x501), of("nf_hook", "nf_tables"));
        assert_eq!(table.find(u64::MAX), of("tls_push", "tls"));
    }
}
