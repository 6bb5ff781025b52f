//! Reads TOML tables key by key, so that every complaint names file, table and key, and no key goes unread.

use crate::error::{Error, Result};
use toml::{Table, Value};

/// One table, with where it stands. Keys that were asked for are remembered; [`Reader::finish`] refuses the others.
pub struct Reader<'a> {
    pub file: &'a str,
    pub name: String,
    table: &'a Table,
    known: Vec<&'static str>,
}

pub fn parse(file: &str, text: &str) -> Result<Table> {
    text.parse::<Table>().map_err(|e| Error::Toml { file: file.into(), why: e.to_string().trim_end().into() })
}

impl<'a> Reader<'a> {
    pub fn new(file: &'a str, name: impl Into<String>, table: &'a Table) -> Self {
        Reader { file, name: name.into(), table, known: Vec::new() }
    }

    fn get(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        self.table.get(key)
    }

    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    pub fn missing(&self, key: &str) -> Error {
        // A key that is there but misspelt explains more than one that is not there.
        let unread = self.table.keys().filter(|k| !self.known.contains(&k.as_str()));
        match unread.filter(|k| distance(k, key) <= 2).min_by_key(|k| distance(k, key)) {
            Some(wrong) => Error::UnknownKey {
                file: self.file.into(),
                table: self.name.clone(),
                key: wrong.clone(),
                nearest: Some(key.into()),
            },
            None => Error::MissingKey { file: self.file.into(), table: self.name.clone(), key: key.into() },
        }
    }

    pub fn wrong_type(&self, key: &str, expected: &'static str) -> Error {
        Error::WrongType { file: self.file.into(), table: self.name.clone(), key: key.into(), expected }
    }

    pub fn bad_value(&self, key: &str, value: impl ToString, expected: impl Into<String>) -> Error {
        Error::BadValue {
            file: self.file.into(),
            table: self.name.clone(),
            key: key.into(),
            value: value.to_string(),
            expected: expected.into(),
        }
    }

    pub fn unknown_name(&self, kind: &'static str, name: &str, among: &[&str]) -> Error {
        Error::UnknownName {
            file: self.file.into(),
            table: self.name.clone(),
            kind,
            name: name.into(),
            nearest: nearest(name, among.iter().copied()),
        }
    }

    pub fn opt_text(&mut self, key: &'static str) -> Result<Option<&'a str>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => value.as_str().map(Some).ok_or_else(|| self.wrong_type(key, "text")),
        }
    }

    pub fn text(&mut self, key: &'static str) -> Result<&'a str> {
        self.opt_text(key)?.ok_or_else(|| self.missing(key))
    }

    pub fn opt_number(&mut self, key: &'static str) -> Result<Option<u64>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => value
                .as_integer()
                .and_then(|n| u64::try_from(n).ok())
                .map(Some)
                .ok_or_else(|| self.wrong_type(key, "a number, not negative")),
        }
    }

    pub fn number(&mut self, key: &'static str) -> Result<u64> {
        self.opt_number(key)?.ok_or_else(|| self.missing(key))
    }

    /// A number up to `max`.
    pub fn small<T: TryFrom<u64>>(&mut self, key: &'static str, max: u64) -> Result<T> {
        let value = self.number(key)?;
        if value > max {
            return Err(self.bad_value(key, value, format!("at most {max}")));
        }
        T::try_from(value).map_err(|_| self.bad_value(key, value, format!("at most {max}")))
    }

    pub fn flag(&mut self, key: &'static str) -> Result<bool> {
        match self.get(key) {
            None => Ok(false),
            Some(value) => value.as_bool().ok_or_else(|| self.wrong_type(key, "true or false")),
        }
    }

    pub fn needed_flag(&mut self, key: &'static str) -> Result<bool> {
        if !self.has(key) {
            self.known.push(key);
            return Err(self.missing(key));
        }
        self.flag(key)
    }

    pub fn list(&mut self, key: &'static str) -> Result<&'a [Value]> {
        match self.get(key) {
            None => Ok(&[]),
            Some(value) => value.as_array().map(Vec::as_slice).ok_or_else(|| self.wrong_type(key, "a list")),
        }
    }

    pub fn names(&mut self, key: &'static str) -> Result<Vec<&'a str>> {
        let list = self.list(key)?;
        list.iter().map(|v| v.as_str().ok_or_else(|| self.wrong_type(key, "a list of names"))).collect()
    }

    /// A name or a list of names.
    pub fn name_or_names(&mut self, key: &'static str) -> Result<Vec<&'a str>> {
        match self.table.get(key) {
            Some(Value::String(name)) => {
                self.known.push(key);
                Ok(vec![name])
            }
            Some(_) => self.names(key),
            None => Err(self.missing(key)),
        }
    }

    pub fn opt_table(&mut self, key: &'static str) -> Result<Option<Reader<'a>>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Table(table)) => {
                // At the top, tables are named as the file writes them.
                let name = if self.name.starts_with('[') { format!("{}.{key}", self.name) } else { format!("[{key}]") };
                Ok(Some(Reader::new(self.file, name, table)))
            }
            Some(_) => Err(self.wrong_type(key, "a table")),
        }
    }

    /// The tables below `key`, `[key.NAME]`, in the order of the file.
    pub fn tables(&mut self, key: &'static str) -> Result<Vec<(&'a str, Reader<'a>)>> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let table = value.as_table().ok_or_else(|| self.wrong_type(key, "tables"))?;
        table
            .iter()
            .map(|(name, value)| match value {
                Value::Table(table) => Ok((name.as_str(), Reader::new(self.file, format!("[{key}.{name}]"), table))),
                _ => Err(self.wrong_type(key, "tables")),
            })
            .collect()
    }

    /// The tables of a list `[[key]]`.
    pub fn table_list(&mut self, key: &'static str) -> Result<Vec<Reader<'a>>> {
        self.list(key)?
            .iter()
            .map(|value| match value {
                Value::Table(table) => {
                    let name = match table.get("name").and_then(Value::as_str) {
                        Some(name) => format!("the {key} `{name}`"),
                        None => format!("a [[{key}]] of {}", self.name),
                    };
                    Ok(Reader::new(self.file, name, table))
                }
                _ => Err(self.wrong_type(key, "a list of tables")),
            })
            .collect()
    }

    /// `"100 ms"`, `"2 s"`, `"50 us"`, in microseconds.
    pub fn opt_duration_us(&mut self, key: &'static str) -> Result<Option<u64>> {
        let Some(text) = self.opt_text(key)? else { return Ok(None) };
        let parsed = text.split_once(' ').and_then(|(number, unit)| {
            let factor = match unit {
                "us" => 1,
                "ms" => 1_000,
                "s" => 1_000_000,
                _ => return None,
            };
            number.parse::<u64>().ok()?.checked_mul(factor).filter(|us| *us > 0)
        });
        parsed.map(Some).ok_or_else(|| self.bad_value(key, text, "a time such as `100 ms` or `2 s`"))
    }

    /// Refuses keys that nobody asked for.
    pub fn finish(self) -> Result<()> {
        match self.table.keys().find(|key| !self.known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => Err(Error::UnknownKey {
                file: self.file.into(),
                table: self.name.clone(),
                nearest: nearest(key, self.known.iter().copied()),
                key: key.clone(),
            }),
        }
    }
}

/// The name that differs least, if it differs by no more than a third of its letters.
pub fn nearest<'n>(name: &str, among: impl Iterator<Item = &'n str>) -> Option<String> {
    among
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(d, candidate)| *d <= 1.max(candidate.len().max(name.len()) / 3))
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

/// Letters to insert, delete, exchange, or swap with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let exchange = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = exchange.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        assert_eq!(distance("router", "router"), 0);
        assert_eq!(distance("ruoter", "router"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(nearest("serail", ["serial", "shell"].into_iter()), Some("serial".into()));
        assert_eq!(nearest("network", ["serial", "shell"].into_iter()), None);
    }
}
