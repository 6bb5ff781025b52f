//! Puts the parts together into Rust.

use crate::{
    bf::{Bitfields, Block},
    c::Headers,
    names,
    xml::{Interfaces, Method, Parameter},
    Arch,
};
use std::{collections::BTreeSet, fmt::Write};

/// How a type of the interface files looks in a message and in Rust.
enum Kind {
    /// A capability: travels beside the words.
    Cap(String),
    /// `bits` of a message word; the Rust type, and how to get the word out of a value.
    Value { bits: u32, rust: String, to_word: &'static str },
    /// A structure of whole words.
    Struct { words: u32, rust: String },
}

struct Writer<'a> {
    headers: &'a Headers,
    interfaces: &'a Interfaces,
    out: String,
}

pub fn file(
    arch: &Arch,
    headers: &Headers,
    bitfields: &Bitfields,
    interfaces: &Interfaces,
    syscalls: &[(String, i64, bool)],
) -> Result<String, String> {
    let mut w = Writer { headers, interfaces, out: String::new() };
    w.line("// Written by sel4-bindgen from the kernel's source. Do not edit.");
    w.line(&format!("/// Message words that travel in registers.\npub const MESSAGE_REGISTERS: usize = {};", arch.message_registers));
    w.line(&format!("/// The architecture that these bindings are for.\npub const ARCH: &str = {:?};", arch.name));
    w.config();
    w.constants()?;
    w.syscalls(syscalls);
    w.labels();
    w.bitfields(bitfields)?;
    w.structures(bitfields)?;
    w.faults(bitfields)?;
    w.capabilities()?;
    Ok(w.out)
}

impl Writer<'_> {
    fn line(&mut self, line: &str) {
        self.out.push_str(line);
        self.out.push('\n');
    }

    fn config(&mut self) {
        self.line("/// The kernel's configuration, as far as user space has to know it.\npub mod config {");
        for name in ["DEBUG_BUILD", "PRINTING", "IOMMU", "HUGE_PAGE", "FASTPATH", "VTX"] {
            let set = self.headers.defines.contains_key(&format!("CONFIG_{name}"));
            self.line(&format!("pub const {name}: bool = {set};"));
        }
        for name in [
            "MAX_NUM_NODES",
            "NUM_PRIORITIES",
            "ROOT_CNODE_SIZE_BITS",
            "MAX_NUM_BOOTINFO_UNTYPED_CAPS",
            "RETYPE_FAN_OUT_LIMIT",
        ] {
            if let Some(value) = self.headers.config(&format!("CONFIG_{name}")) {
                self.line(&format!("pub const {name}: super::Word = {value};"));
            }
        }
        self.line("}");
    }

    fn constants(&mut self) -> Result<(), String> {
        self.line("/// Enumerators and macros of the kernel's public headers.\npub mod consts {\nuse super::Word;");
        let mut seen = BTreeSet::new();
        for (name, value) in &self.headers.constants {
            let rust = names::constant(name);
            if !seen.insert(rust.clone()) {
                continue;
            }
            let value = u64::try_from(*value)
                .or_else(|_| i64::try_from(*value).map(|v| v as u64))
                .map_err(|_| format!("{name}: {value} does not fit a word"))?;
            writeln!(self.out, "pub const {rust}: Word = {value:#x};").expect("a string");
        }
        // What the overlay adds, so that user space can name it whether or not it is there.
        let dead = self.headers.constant("seL4_DeadServer").map_or(0, |v| v as u64);
        self.line(&format!(
            "/// Badge (and label) of the message that wakes a caller whose server is gone; 0 if this kernel sends none.\n\
             pub const DEAD_SERVER_BADGE: Word = {dead:#x};"
        ));
        self.line("}");
        Ok(())
    }

    fn syscalls(&mut self, syscalls: &[(String, i64, bool)]) {
        self.line("/// System call numbers.\npub mod syscall {");
        for (name, number, there) in syscalls {
            let note = if *there { "" } else { "/// Not in this kernel's configuration.\n" };
            self.line(&format!("{note}pub const {}: isize = {number};", names::constant(name)));
        }
        self.line("}");
    }

    fn labels(&mut self) {
        self.line("/// Invocation labels.\npub mod label {\nuse super::Word;");
        for (i, method) in self.interfaces.methods.iter().enumerate() {
            // Label 0 is the invalid invocation.
            self.line(&format!("pub const {}: Word = {};", names::constant(&method.id), i + 1));
        }
        self.line("}");
    }

    fn bitfields(&mut self, bitfields: &Bitfields) -> Result<(), String> {
        let in_union = |name: &str| bitfields.unions.iter().any(|u| u.tags.iter().any(|t| t.0 == name));
        for block in bitfields.blocks.iter().filter(|b| b.bits == 64 && !in_union(&b.name)) {
            self.block(&names::type_(&block.name), block, None);
        }
        for union in &bitfields.unions {
            let members: Option<Vec<_>> =
                union.tags.iter().map(|(n, v)| bitfields.block(n).map(|b| (b, *v))).collect();
            let members = members.ok_or_else(|| format!("union {} names a block that is missing", union.name))?;
            if members.iter().any(|(b, _)| b.bits != 64) {
                continue;
            }
            let rust = names::type_(&union.name);
            self.newtype(&rust, &format!("Bit field `{}`.", union.name));
            self.line(&format!("impl {rust} {{"));
            for (block, tag) in members {
                let function = names::function(&block.name);
                let tag_shift = block
                    .fields
                    .iter()
                    .find(|f| f.name == union.tag_field)
                    .ok_or_else(|| format!("block {} lacks the tag {}", block.name, union.tag_field))?
                    .shift;
                let fields: Vec<_> = block.fields.iter().filter(|f| f.name != union.tag_field).collect();
                let parameters: Vec<_> =
                    fields.iter().map(|f| format!("{}: Word", names::function(&f.name))).collect();
                let mut value = format!("{}", tag << tag_shift);
                for f in &fields {
                    write!(value, " | ({} & {:#x}) << {}", names::function(&f.name), mask(f.bits), f.shift)
                        .expect("a string");
                }
                self.line(&format!(
                    "pub const fn {function}({}) -> Self {{ {rust}({value}) }}",
                    parameters.join(", ")
                ));
                for f in &fields {
                    self.line(&format!(
                        "pub const {}_{}_BITS: u32 = {};",
                        names::constant(&block.name),
                        names::constant(&f.name),
                        f.bits
                    ));
                }
            }
            self.line("}");
        }
        Ok(())
    }

    fn newtype(&mut self, rust: &str, doc: &str) {
        self.line(&format!(
            "/// {doc}\n#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]\n#[repr(transparent)]\npub struct {rust}(pub Word);"
        ));
    }

    fn block(&mut self, rust: &str, block: &Block, tag: Option<&str>) {
        self.newtype(rust, &format!("Bit field `{}`.", block.name));
        self.line(&format!("impl {rust} {{"));
        for field in block.fields.iter().filter(|f| Some(f.name.as_str()) != tag) {
            let (constant, function) = (names::constant(&field.name), names::function(&field.name));
            let (mask, shift) = (mask(field.bits), field.shift);
            self.line(&format!("pub const {constant}_MASK: Word = {:#x};", mask << shift));
            self.line(&format!("pub const {constant}_SHIFT: u32 = {shift};"));
            self.line(&format!(
                "#[inline] pub const fn {function}(self) -> Word {{ self.0 >> {shift} & {mask:#x} }}"
            ));
            self.line(&format!(
                "#[inline] pub const fn with_{function}(self, value: Word) -> Self {{ \
                 {rust}((self.0 & !{:#x}) | (value & {mask:#x}) << {shift}) }}",
                mask << shift
            ));
        }
        // A right that only a patched kernel has: absent, it is no bit at all.
        if block.name == "seL4_CapRights" {
            let bit = block.fields.iter().find(|f| names::constant(&f.name).contains("GRANT_REPLY"));
            self.line(&format!(
                "/// The right to be replied to without the right to transfer capabilities; 0 if this kernel knows no such right.\n\
                 pub const GRANT_REPLY_MASK: Word = {:#x};",
                bit.map_or(0, |f| mask(f.bits) << f.shift)
            ));
        }
        self.line("}");
    }

    /// Size and alignment of a C type, and its Rust spelling.
    fn c_type(&self, name: &str, pointer: bool, bitfields: &Bitfields) -> Result<(u64, String), String> {
        if pointer {
            return Ok((8, "Word".into()));
        }
        Ok(match name {
            "seL4_Uint8" => (1, "u8".into()),
            "seL4_Uint16" => (2, "u16".into()),
            "seL4_Uint32" => (4, "u32".into()),
            "seL4_Word" | "seL4_Uint64" | "seL4_CPtr" => (8, "Word".into()),
            _ => {
                if let Some((original, _)) = self.headers.typedefs.iter().find(|(_, n)| n == name) {
                    return self.c_type(original, false, bitfields);
                }
                if let Some(s) = self.headers.structs.iter().find(|s| s.name == name) {
                    let mut size = 0;
                    for f in &s.fields {
                        size += self.c_type(&f.type_, f.pointer, bitfields)?.0 * f.length.unwrap_or(1);
                    }
                    return Ok((size, names::type_(name)));
                }
                let block = name.strip_suffix("_t").unwrap_or(name);
                match bitfields.block(block) {
                    Some(b) => (b.bits as u64 / 8, names::type_(block)),
                    None => return Err(format!("C type {name} is not known")),
                }
            }
        })
    }

    fn structures(&mut self, bitfields: &Bitfields) -> Result<(), String> {
        for name in ["seL4_SlotRegion", "seL4_UntypedDesc", "seL4_BootInfoHeader", "seL4_BootInfo", "seL4_IPCBuffer"] {
            let s = self.headers.structs.iter().find(|s| s.name == name);
            let s = s.ok_or_else(|| format!("structure {name} is missing"))?;
            let rust = names::type_(name);
            let (size, _) = self.c_type(name, false, bitfields)?;
            let repr = match (s.packed, s.self_aligned) {
                (true, _) => "C, packed".to_string(),
                (false, true) if size.is_power_of_two() => format!("C, align({size})"),
                (false, true) => return Err(format!("{name} is to be aligned to its size of {size} bytes")),
                (false, false) => "C".to_string(),
            };
            let derive = if s.packed { "#[derive(Clone, Copy)]\n" } else { "" };
            self.line(&format!("/// `{name}`.\n{derive}#[repr({repr})]\npub struct {rust} {{"));
            for f in &s.fields {
                let (_, type_) = self.c_type(&f.type_, f.pointer, bitfields)?;
                let type_ = match f.length {
                    Some(n) => format!("[{type_}; {n}]"),
                    None => type_,
                };
                self.line(&format!("    pub {}: {type_},", names::function(&f.name)));
            }
            self.line("}");
            self.line(&format!("const _: () = assert!(core::mem::size_of::<{rust}>() == {size});"));
        }
        for (name, members) in &self.interfaces.structs {
            let rust = names::type_(name);
            let n = members.len();
            let fields: Vec<_> = members.iter().map(|m| names::function(m)).collect();
            self.line(&format!(
                "/// `{name}`.\n#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]\n#[repr(C)]\npub struct {rust} {{"
            ));
            for f in &fields {
                self.line(&format!("    pub {f}: Word,"));
            }
            self.line("}");
            self.line(&format!("impl {rust} {{"));
            self.line(&format!("pub const WORDS: usize = {n};"));
            let list: Vec<_> = fields.iter().map(|f| format!("self.{f}")).collect();
            self.line(&format!("pub const fn to_words(self) -> [Word; {n}] {{ [{}] }}", list.join(", ")));
            let list: Vec<_> = fields.iter().enumerate().map(|(i, f)| format!("{f}: w[{i}]")).collect();
            self.line(&format!("pub const fn from_words(w: [Word; {n}]) -> Self {{ {rust} {{ {} }} }}", list.join(", ")));
            self.line("}");
        }
        Ok(())
    }

    fn faults(&mut self, bitfields: &Bitfields) -> Result<(), String> {
        let union = bitfields.unions.iter().find(|u| u.name == "seL4_Fault").ok_or("no union seL4_Fault")?;
        let mut variants = Vec::new();
        for (tag, value) in &union.tags {
            // The message's layout is an enumeration of `seL4_TAG_FIELD`.
            let prefix = format!("seL4_{tag}_");
            let mut fields: Vec<(u64, String)> = Vec::new();
            for (name, index) in &self.headers.constants {
                let Some(field) = name.strip_prefix(&prefix) else { continue };
                let index = *index as u64;
                // Names that share a word depend on the kind; the plain one comes first.
                if field != "Length" && !fields.iter().any(|(i, _)| *i == index) {
                    fields.push((index, names::function(field)));
                }
            }
            let variant = names::type_(tag);
            if fields.is_empty() {
                variants.push((variant, *value, false));
                continue;
            }
            self.line(&format!("/// Message of a fault `{tag}`.\n#[derive(Clone, Copy, Debug, PartialEq, Eq)]\npub struct {variant} {{"));
            for (_, f) in &fields {
                self.line(&format!("    pub {f}: Word,"));
            }
            self.line("}");
            self.line(&format!("impl {variant} {{ fn read(word: impl Fn(usize) -> Word) -> Self {{ {variant} {{"));
            for (index, f) in &fields {
                self.line(&format!("    {f}: word({index}),"));
            }
            self.line("} } }");
            variants.push((variant, *value, true));
        }
        self.line("/// A fault, as the kernel reports it to the fault handler.\n#[derive(Clone, Copy, Debug, PartialEq, Eq)]\npub enum Fault {");
        for (variant, _, fields) in &variants {
            self.line(&if *fields { format!("    {variant}({variant}),") } else { format!("    {variant},") });
        }
        self.line("}\nimpl Fault {");
        for (variant, value, _) in &variants {
            self.line(&format!("pub const {}: Word = {value};", names::constant(variant)));
        }
        self.line(
            "/// The fault in a message with this label, whose words `word` gives; `None` if no fault has this label.\n\
             pub fn read(label: Word, word: impl Fn(usize) -> Word) -> Option<Self> {\nSome(match label {",
        );
        for (variant, value, fields) in &variants {
            self.line(&if *fields {
                format!("    {value} => Fault::{variant}({variant}::read(word)),")
            } else {
                format!("    {value} => Fault::{variant},")
            });
        }
        self.line("    _ => return None,\n})\n}\n}");
        Ok(())
    }

    fn is_cap(&self, type_: &str) -> bool {
        self.interfaces.names.iter().any(|n| n == type_)
            || self.headers.typedefs.iter().any(|(a, b)| a == "seL4_CPtr" && b == type_)
    }

    fn kind(&self, type_: &str) -> Result<Kind, String> {
        let value = |bits, rust: &str, to_word| Kind::Value { bits, rust: rust.into(), to_word };
        Ok(match type_ {
            "seL4_CPtr" => Kind::Cap("CPtr".into()),
            "int" => value(32, "u32", " as Word"),
            "seL4_Uint8" => value(8, "u8", " as Word"),
            "seL4_Uint16" => value(16, "u16", " as Word"),
            "seL4_Uint32" => value(32, "u32", " as Word"),
            "seL4_Bool" => value(1, "bool", " as Word"),
            "seL4_Word" | "seL4_Uint64" => value(64, "Word", ""),
            "seL4_CapData_t" | "seL4_PrioProps_t" | "seL4_CapRights_t" => value(64, &names::type_(type_), ".0"),
            t if t.ends_with("_VMAttributes") => value(64, "VmAttributes", ".0"),
            t if self.is_cap(t) => Kind::Cap(names::type_(t)),
            t => match self.interfaces.structs.iter().find(|(n, _)| n == t) {
                Some((n, members)) => Kind::Struct { words: members.len() as u32, rust: names::type_(n) },
                None => return Err(format!("type {t} is not understood")),
            },
        })
    }

    fn capabilities(&mut self) -> Result<(), String> {
        let caps: BTreeSet<String> = self
            .interfaces
            .names
            .iter()
            .chain(self.headers.typedefs.iter().filter(|(a, _)| a == "seL4_CPtr").map(|(_, b)| b))
            .cloned()
            .collect();
        self.line(
            "/// Memory type of a mapping.\n#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]\n#[repr(transparent)]\npub struct VmAttributes(pub Word);",
        );
        for name in &caps {
            self.line(&format!("cap_type! {{ /// `{name}`.\n{} }}", names::type_(name)));
        }
        for name in &self.interfaces.names {
            let methods: Vec<&Method> = self.interfaces.methods.iter().filter(|m| m.interface == *name).collect();
            if methods.is_empty() {
                continue;
            }
            self.line(&format!("impl {} {{", names::type_(name)));
            for method in methods {
                let text = self.method(method).map_err(|e| format!("{}.{}: {e}", name, method.name))?;
                self.line(&text);
            }
            self.line("}");
        }
        Ok(())
    }

    fn method(&self, method: &Method) -> Result<String, String> {
        let mut parameters = String::new();
        let mut caps = Vec::new();
        let mut values: Vec<(&Parameter, Kind)> = Vec::new();
        for p in &method.inputs {
            let name = names::function(&p.name);
            // These two methods call an address space a CNode.
            let odd = matches!(method.id.as_str(), "TCBConfigure" | "TCBSetSpace") && p.name == "vspace_root";
            match self.kind(if odd { "seL4_CPtr" } else { &p.type_ })? {
                Kind::Cap(rust) => {
                    if rust == "CPtr" {
                        write!(parameters, ", {name}: impl Into<CPtr>").expect("a string");
                        caps.push(format!("{name}.into()"));
                    } else {
                        write!(parameters, ", {name}: {rust}").expect("a string");
                        caps.push(format!("{name}.cptr()"));
                    }
                }
                kind @ (Kind::Value { .. } | Kind::Struct { .. }) => {
                    let (Kind::Value { rust, .. } | Kind::Struct { rust, .. } | Kind::Cap(rust)) = &kind;
                    write!(parameters, ", {name}: {rust}").expect("a string");
                    values.push((p, kind));
                }
            }
        }
        // Inputs are packed by their size, each aligned to itself.
        let mut words: Vec<String> = Vec::new();
        let mut bit = 0u32;
        for (p, kind) in &values {
            let name = names::function(&p.name);
            match kind {
                Kind::Value { bits, to_word, .. } => {
                    bit = bit.next_multiple_of(*bits);
                    let (word, shift) = ((bit / 64) as usize, bit % 64);
                    bit += bits;
                    let mut expression = format!("{name}{to_word}");
                    if shift > 0 {
                        expression = format!("({expression}) << {shift}");
                    }
                    if words.len() == word {
                        words.push(expression);
                    } else {
                        write!(words[word], " | {expression}").expect("a string");
                    }
                }
                Kind::Struct { words: n, .. } => {
                    bit = bit.next_multiple_of(64) + 64 * n;
                    words.extend((0..*n).map(|i| format!("{name}[{i}]")));
                }
                Kind::Cap(_) => unreachable!("capabilities are kept apart"),
            }
        }
        let mut before = String::new();
        for (p, kind) in &values {
            if let Kind::Struct { .. } = kind {
                let name = names::function(&p.name);
                writeln!(before, "    let {name} = {name}.to_words();").expect("a string");
            }
        }
        // Outputs, by the same rule.
        let (mut types, mut results) = (Vec::new(), Vec::new());
        let mut bit = 0u32;
        for p in &method.outputs {
            match self.kind(&p.type_)? {
                Kind::Value { bits, rust, .. } => {
                    bit = bit.next_multiple_of(bits);
                    let (word, shift) = (bit / 64, bit % 64);
                    bit += bits;
                    let value = match (shift, bits) {
                        (0, 64) => format!("reply.word({word})"),
                        _ => format!("(reply.word({word}) >> {shift} & {:#x})", mask(bits)),
                    };
                    results.push(match rust.as_str() {
                        "bool" => format!("{value} != 0"),
                        "Word" => value,
                        narrow @ ("u8" | "u16" | "u32") => format!("{value} as {narrow}"),
                        other => format!("{other}({value})"),
                    });
                    types.push(rust);
                }
                Kind::Struct { words, rust } => {
                    bit = bit.next_multiple_of(64);
                    let first = bit / 64;
                    bit += 64 * words;
                    results.push(format!("{rust}::from_words(core::array::from_fn(|i| reply.word(i + {first})))"));
                    types.push(rust);
                }
                Kind::Cap(_) => return Err(format!("{} is a capability that comes back", p.name)),
            }
        }
        let (returns, result) = match types.as_slice() {
            [] => ("()".to_string(), "()".to_string()),
            [one] => (one.clone(), results.remove(0)),
            _ => (format!("({})", types.join(", ")), format!("({})", results.join(", "))),
        };
        let outputs: Vec<_> = method.outputs.iter().map(|p| format!("`{}`", p.name)).collect();
        let doc = if outputs.is_empty() { String::new() } else { format!(" Gives {}.", outputs.join(", ")) };
        let reply = if types.is_empty() { "" } else { "let reply = " };
        Ok(format!(
            "/// Invocation `{id}`.{doc}\n#[inline]\n#[allow(clippy::too_many_arguments, clippy::identity_op)]\n\
             pub fn {function}(self{parameters}) -> Result<{returns}> {{\n{before}    \
             {reply}invoke(self.cptr(), label::{label}, [{caps}], [{words}])?;\n    Ok({result})\n}}",
            id = method.id,
            function = names::function(&method.name),
            label = names::constant(&method.id),
            caps = caps.join(", "),
            words = words.join(", "),
        ))
    }
}

fn mask(bits: u32) -> u64 {
    if bits >= 64 {
        u64::MAX
    } else {
        (1 << bits) - 1
    }
}
