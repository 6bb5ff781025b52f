//! The kernel's interface files: objects with their methods, and the system calls.

use crate::c::{self, Defines};
use roxmltree::{Document, Node, ParsingOptions};

#[derive(Debug, Default)]
pub struct Interfaces {
    /// In the order of the files, which is the order of the labels. Methods whose condition does not hold are left out.
    pub methods: Vec<Method>,
    pub structs: Vec<(String, Vec<String>)>,
    /// All interfaces, with or without methods.
    pub names: Vec<String>,
}

#[derive(Debug)]
pub struct Method {
    pub interface: String,
    pub name: String,
    /// Name of the label.
    pub id: String,
    pub inputs: Vec<Parameter>,
    pub outputs: Vec<Parameter>,
}

#[derive(Debug)]
pub struct Parameter {
    pub name: String,
    pub type_: String,
}

fn attribute(node: Node, name: &str) -> Result<String, String> {
    node.attribute(name)
        .map(str::to_string)
        .ok_or_else(|| format!("<{}> without {name}", node.tag_name().name()))
}

fn parse(text: &str) -> Result<Document<'_>, String> {
    Document::parse_with_options(text, ParsingOptions { allow_dtd: true, ..Default::default() })
        .map_err(|e| e.to_string())
}

fn elements<'a>(node: Node<'a, 'a>, name: &'static str) -> impl Iterator<Item = Node<'a, 'a>> {
    node.descendants().filter(move |n| n.has_tag_name(name))
}

impl Interfaces {
    pub fn read(&mut self, text: &str, defines: &Defines) -> Result<(), String> {
        let document = parse(text)?;
        for node in elements(document.root(), "struct") {
            let members: Result<_, _> = elements(node, "member").map(|m| attribute(m, "name")).collect();
            self.structs.push((attribute(node, "name")?, members?));
        }
        for node in elements(document.root(), "interface") {
            let interface = attribute(node, "name")?;
            if !self.names.contains(&interface) {
                self.names.push(interface.clone());
            }
            for method in elements(node, "method") {
                if let Some(condition) = method.attribute("condition") {
                    if !condition.is_empty() && !c::condition(condition, defines)? {
                        continue;
                    }
                }
                let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
                for p in elements(method, "param") {
                    let parameter = Parameter { name: attribute(p, "name")?, type_: attribute(p, "type")? };
                    match p.attribute("dir") {
                        Some("in") => inputs.push(parameter),
                        Some("out") => outputs.push(parameter),
                        other => return Err(format!("parameter {}: direction {other:?}", parameter.name)),
                    }
                }
                self.methods.push(Method {
                    interface: interface.clone(),
                    name: attribute(method, "name")?,
                    id: attribute(method, "id")?,
                    inputs,
                    outputs,
                });
            }
        }
        Ok(())
    }
}

/// System calls with their numbers: -1 downwards. A call whose condition does not hold keeps its number.
pub fn syscalls(text: &str, defines: &Defines) -> Result<Vec<(String, i64, bool)>, String> {
    let document = parse(text)?;
    let mut calls = Vec::new();
    for group in elements(document.root(), "config") {
        let there = match group.attribute("condition") {
            Some(condition) => c::condition(condition, defines)?,
            None => true,
        };
        for call in elements(group, "syscall") {
            calls.push((attribute(call, "name")?, -1 - calls.len() as i64, there));
        }
    }
    Ok(calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_whose_condition_fails_takes_no_label() {
        let mut defines = Defines::default();
        defines.insert("CONFIG_N".into(), "1".into());
        let mut i = Interfaces::default();
        i.read(
            r#"<api><struct name="S"><member name="a"/></struct><interface name="seL4_T">
            <method id="TA" name="A" condition="CONFIG_N &gt; 1"/>
            <method id="TB" name="B"><param dir="in" name="x" type="seL4_Word"/></method></interface></api>"#,
            &defines,
        )
        .unwrap();
        assert_eq!(i.methods.len(), 1);
        assert_eq!((i.methods[0].id.as_str(), i.methods[0].inputs.len()), ("TB", 1));
        assert_eq!(i.structs, [("S".to_string(), vec!["a".to_string()])]);
    }

    #[test]
    fn syscalls_keep_their_numbers_when_left_out() {
        let calls = syscalls(
            r#"<syscalls><api><config><syscall name="Call"/><syscall name="Send"/></config></api>
            <debug><config condition="defined CONFIG_D"><syscall name="Halt"/></config>
            <config condition="defined(CONFIG_E)"><syscall name="Run"/></config></debug></syscalls>"#,
            &Defines::from([("CONFIG_E".to_string(), "1".to_string())]),
        )
        .unwrap();
        let wanted = [("Call", -1, true), ("Send", -2, true), ("Halt", -3, false), ("Run", -4, true)];
        assert_eq!(calls, wanted.map(|(n, v, t)| (n.to_string(), v, t)));
    }
}
