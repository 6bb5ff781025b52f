//! Where the fields of the kernel's structures lie: from the debug information of the very file that boots, so it
//! follows the number of cores and the size of the floating-point state by itself.

use crate::{Error, Result};
use gimli::{constants, AttributeValue, Dwarf, EndianSlice, LittleEndian, Unit, UnitOffset};
use object::{Object, ObjectSection};
use std::collections::HashMap;

type Slice<'a> = EndianSlice<'a, LittleEndian>;
/// A type, by its place in the file.
type Place = usize;

#[derive(Debug)]
enum Type {
    /// `typedef`, `const`, `volatile`.
    Same(Place),
    Structure {
        bytes: u64,
        members: Vec<(String, u64, Place)>,
    },
    Array {
        element: Place,
        counts: Vec<u64>,
    },
    Plain {
        bytes: u64,
    },
}

#[derive(Debug, Default)]
pub struct Debug {
    types: HashMap<Place, Type>,
    structures: HashMap<String, Place>,
    variables: HashMap<String, Place>,
    enumerators: HashMap<String, u64>,
}

impl Debug {
    pub fn read(elf: &object::File) -> Result<Debug> {
        let dwarf = Dwarf::load(|id| -> Result<Slice, gimli::Error> {
            let section = elf.section_by_name(id.name());
            let data = section.and_then(|section| section.data().ok()).unwrap_or_default();
            Ok(EndianSlice::new(data, LittleEndian))
        })
        .map_err(broken)?;
        let mut debug = Debug::default();
        let mut units = dwarf.units();
        while let Some(header) = units.next().map_err(broken)? {
            let start = header.offset().as_debug_info_offset().map_or(0, |offset| offset.0);
            let unit = dwarf.unit(header).map_err(broken)?;
            debug.unit(&dwarf, &unit, start).map_err(broken)?;
        }
        if debug.structures.is_empty() {
            return Err(Error::new("the kernel was built without debug information"));
        }
        Ok(debug)
    }

    fn unit(&mut self, dwarf: &Dwarf<Slice>, unit: &Unit<Slice>, start: usize) -> gimli::Result<()> {
        // The places of the entries around the current one.
        let mut parents: Vec<Place> = Vec::new();
        let mut depth = 0isize;
        let mut entries = unit.entries();
        while let Some((delta, entry)) = entries.next_dfs()? {
            depth += delta;
            parents.truncate(depth.max(0) as usize);
            let place = start + entry.offset().0;
            let parent = parents.last().copied();
            parents.push(place);
            let number = |at| Ok::<_, gimli::Error>(entry.attr_value(at)?.and_then(|value| value.udata_value()));
            let name = match entry.attr_value(constants::DW_AT_name)? {
                Some(value) => Some(dwarf.attr_string(unit, value)?.to_string_lossy().into_owned()),
                None => None,
            };
            let reference = |at| {
                Ok::<_, gimli::Error>(match entry.attr_value(at)? {
                    Some(AttributeValue::UnitRef(UnitOffset(offset))) => Some(start + offset),
                    _ => None,
                })
            };
            // `void` has no place; nothing lies at 0.
            let target = reference(constants::DW_AT_type)?.unwrap_or(0);
            match entry.tag() {
                constants::DW_TAG_typedef | constants::DW_TAG_const_type | constants::DW_TAG_volatile_type => {
                    if let Some(name) = name {
                        self.structures.entry(name).or_insert(place);
                    }
                    self.types.insert(place, Type::Same(target));
                }
                constants::DW_TAG_structure_type | constants::DW_TAG_union_type => {
                    let bytes = number(constants::DW_AT_byte_size)?.unwrap_or(0);
                    let declared = entry.attr_value(constants::DW_AT_declaration)?.is_some();
                    if let (Some(name), false) = (name, declared) {
                        self.structures.insert(name, place);
                    }
                    self.types.insert(place, Type::Structure { bytes, members: Vec::new() });
                }
                constants::DW_TAG_member => {
                    let offset = number(constants::DW_AT_data_member_location)?.unwrap_or(0);
                    if let Some(Type::Structure { members, .. }) = parent.and_then(|p| self.types.get_mut(&p)) {
                        members.push((name.unwrap_or_default(), offset, target));
                    }
                }
                constants::DW_TAG_array_type => {
                    self.types.insert(place, Type::Array { element: target, counts: Vec::new() });
                }
                constants::DW_TAG_subrange_type => {
                    let last = number(constants::DW_AT_upper_bound)?;
                    let count = number(constants::DW_AT_count)?.or(last.map(|last| last + 1)).unwrap_or(0);
                    if let Some(Type::Array { counts, .. }) = parent.and_then(|p| self.types.get_mut(&p)) {
                        counts.push(count);
                    }
                }
                constants::DW_TAG_enumerator => {
                    let value = entry.attr_value(constants::DW_AT_const_value)?;
                    let value = value.and_then(|value| value.udata_value().or(value.sdata_value().map(|v| v as u64)));
                    if let (Some(name), Some(value)) = (name, value) {
                        self.enumerators.insert(name, value);
                    }
                }
                constants::DW_TAG_variable => {
                    if let (Some(name), true) = (name, target != 0) {
                        self.variables.entry(name).or_insert(target);
                    }
                }
                _ => {
                    let bytes = number(constants::DW_AT_byte_size)?.unwrap_or(8);
                    self.types.insert(place, Type::Plain { bytes });
                }
            }
        }
        Ok(())
    }

    fn real(&self, mut place: Place) -> Option<&Type> {
        loop {
            match self.types.get(&place)? {
                Type::Same(target) => place = *target,
                other => return Some(other),
            }
        }
    }

    fn bytes(&self, place: Place) -> Option<u64> {
        Some(match self.real(place)? {
            Type::Structure { bytes, .. } | Type::Plain { bytes } => *bytes,
            Type::Array { element, counts } => self.bytes(*element)? * counts.iter().product::<u64>(),
            Type::Same(_) => return None,
        })
    }

    fn structure(&self, name: &str) -> Result<Place> {
        self.structures.get(name).copied().ok_or_else(|| Error::new(format!("the kernel has no structure {name}")))
    }

    pub fn size(&self, structure: &str) -> Result<u64> {
        let bytes = self.bytes(self.structure(structure)?);
        bytes.ok_or_else(|| Error::new(format!("the kernel's {structure} has no size")))
    }

    /// Offset and size of a field, `system.ksCurThread` for one inside another.
    pub fn field(&self, structure: &str, path: &str) -> Result<(u64, u64)> {
        let missing = || Error::new(format!("the kernel's {structure} has no field {path}"));
        let mut place = self.structure(structure)?;
        let mut offset = 0;
        for name in path.split('.') {
            let Some(Type::Structure { members, .. }) = self.real(place) else { return Err(missing()) };
            let member = members.iter().find(|(member, ..)| member == name).ok_or_else(missing)?;
            offset += member.1;
            place = member.2;
        }
        Ok((offset, self.bytes(place).ok_or_else(missing)?))
    }

    /// Bytes of a variable, and of each element where it is an array.
    pub fn variable(&self, name: &str) -> Option<(u64, u64)> {
        let place = *self.variables.get(name)?;
        let whole = self.bytes(place)?;
        match self.real(place)? {
            Type::Array { element, .. } => Some((whole, self.bytes(*element)?)),
            _ => Some((whole, whole)),
        }
    }

    pub fn enumerator(&self, name: &str) -> Result<u64> {
        self.enumerators.get(name).copied().ok_or_else(|| Error::new(format!("the kernel has no constant {name}")))
    }
}

fn broken(error: gimli::Error) -> Error {
    Error::new(format!("the kernel's debug information: {error}"))
}
