//! The kernel's names in Rust's spelling.

/// Words of a C name: `seL4_X86_ASIDPool` is `X86`, `ASID`, `Pool`.
fn words(name: &str) -> Vec<String> {
    let name = name.strip_prefix("seL4_").or_else(|| name.strip_prefix("SEL4_")).unwrap_or(name);
    let name = name.strip_suffix("_t").unwrap_or(name);
    let chars: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (i, &c) in chars.iter().enumerate() {
        if c == '_' {
            words.push(String::new());
            continue;
        }
        let previous = if i > 0 { chars[i - 1] } else { '_' };
        let next = chars.get(i + 1).copied().unwrap_or('_');
        let new_word = c.is_ascii_uppercase()
            && (previous.is_ascii_lowercase()
                || ((previous.is_ascii_uppercase() || previous.is_ascii_digit()) && next.is_ascii_lowercase()));
        if new_word {
            words.push(String::new());
        }
        words.last_mut().expect("never empty").push(c);
    }
    words.retain(|w| !w.is_empty());
    words
}

pub fn constant(name: &str) -> String {
    let name = words(name).join("_").to_ascii_uppercase();
    // The field writes these as one word.
    let name = name.replace("C_NODE", "CNODE").replace("V_SPACE", "VSPACE");
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        format!("_{name}")
    } else {
        name
    }
}

pub fn function(name: &str) -> String {
    let name = words(name).join("_").to_ascii_lowercase().replace("c_node", "cnode");
    match name.as_str() {
        "type" => "kind".into(),
        "move" => "move_".into(),
        _ => name,
    }
}

pub fn type_(name: &str) -> String {
    // `CNode` is how the field writes it.
    words(name)
        .iter()
        .map(|w| {
            let mut chars = w.chars();
            let first = chars.next().expect("words are not empty").to_ascii_uppercase();
            first.to_string() + &chars.as_str().to_ascii_lowercase()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acronyms_become_words() {
        assert_eq!(constant("seL4_X86_ASIDPool"), "X86_ASID_POOL");
        assert_eq!(constant("seL4_PML4Bits"), "PML4_BITS");
        assert_eq!(constant("seL4_X86_4K"), "X86_4K");
        assert_eq!(constant("IRQIssueIRQHandler"), "IRQ_ISSUE_IRQ_HANDLER");
        assert_eq!(constant("X86PageTableMap"), "X86_PAGE_TABLE_MAP");
        assert_eq!(constant("seL4_IOPageTableBits"), "IO_PAGE_TABLE_BITS");
        assert_eq!(function("SetMCPriority"), "set_mc_priority");
        assert_eq!(function("capAllowGrantReply"), "cap_allow_grant_reply");
        assert_eq!(constant("CNodeRevoke"), "CNODE_REVOKE");
        assert_eq!(function("Move"), "move_");
        assert_eq!(function("R15"), "r15");
        assert_eq!(type_("seL4_CNode"), "CNode");
        assert_eq!(type_("seL4_IRQHandler"), "IrqHandler");
        assert_eq!(type_("seL4_X64_PML4"), "X64Pml4");
        assert_eq!(type_("seL4_CapRights_t"), "CapRights");
    }
}
