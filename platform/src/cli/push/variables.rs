//! `((name))` in a manifest, filled from `--var` and `--vars-file` as `cf` does.

use anyhow::{Context as _, bail};
use serde_yaml_ng::{Mapping, Value};
use std::{collections::BTreeSet, path::PathBuf};

/// Variables by name; `--var` wins over files, later files over earlier ones.
pub fn collect(vars: &[String], files: &[PathBuf]) -> anyhow::Result<Mapping> {
    let mut all = Mapping::new();
    for file in files {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let Value::Mapping(values) = serde_yaml_ng::from_str(&text).with_context(|| format!("{} is not YAML", file.display()))? else {
            bail!("{} must be a YAML mapping of names to values", file.display());
        };
        all.extend(values);
    }
    for var in vars {
        let (name, value) = var.split_once('=').with_context(|| format!("--var '{var}' must have the form name=value"))?;
        // A value is YAML, so that numbers and booleans keep their type.
        all.insert(name.into(), serde_yaml_ng::from_str(value).unwrap_or_else(|_| value.into()));
    }
    Ok(all)
}

/// The manifest with every variable filled in.
pub fn interpolate(manifest: &mut Value, variables: &Mapping) -> anyhow::Result<()> {
    let mut missing = BTreeSet::new();
    fill(manifest, variables, &mut missing);
    if missing.is_empty() {
        return Ok(());
    }
    bail!("Expected to find variables: {}", missing.into_iter().collect::<Vec<_>>().join(", "))
}

fn fill(value: &mut Value, variables: &Mapping, missing: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            if let Some(filled) = fill_text(text, variables, missing) {
                *value = filled;
            }
        }
        Value::Sequence(items) => items.iter_mut().for_each(|item| fill(item, variables, missing)),
        Value::Mapping(members) => members.iter_mut().for_each(|(_, member)| fill(member, variables, missing)),
        Value::Tagged(tagged) => fill(&mut tagged.value, variables, missing),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A text that is one variable takes the variable's type; variables inside a text become part of the text.
fn fill_text(text: &str, variables: &Mapping, missing: &mut BTreeSet<String>) -> Option<Value> {
    let (mut filled, mut rest, mut changed) = (String::new(), text, false);
    while let Some((before, after)) = rest.split_once("((") {
        let Some((name, tail)) = after.split_once("))") else { break };
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/')) {
            filled.push_str(before);
            filled.push_str("((");
            rest = after;
            continue;
        }
        let Some(value) = variables.get(name) else {
            missing.insert(name.to_owned());
            filled.push_str(before);
            rest = tail;
            continue;
        };
        if before.is_empty() && tail.is_empty() && filled.is_empty() {
            return Some(value.clone());
        }
        filled.push_str(before);
        filled.push_str(&plain(value));
        rest = tail;
        changed = true;
    }
    filled.push_str(rest);
    changed.then_some(Value::String(filled))
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => serde_yaml_ng::to_string(other).map(|text| text.trim_end().to_owned()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(yaml: &str, vars: &[&str]) -> anyhow::Result<Value> {
        let vars: Vec<String> = vars.iter().map(|&v| v.to_owned()).collect();
        let mut value = serde_yaml_ng::from_str(yaml).unwrap();
        interpolate(&mut value, &collect(&vars, &[]).unwrap())?;
        Ok(value)
    }

    #[test]
    fn whole_values_keep_their_type_and_parts_become_text() {
        let value = filled("a: ((n))\nb: x-((n))-((s)).y\nc: ((", &["n=3", "s=t"]).unwrap();
        assert_eq!(value["a"], Value::from(3));
        assert_eq!(value["b"], Value::from("x-3-t.y"));
        assert_eq!(value["c"], Value::from("(("));
    }

    #[test]
    fn missing_variables_are_all_named() {
        let error = filled("a: ((one))\nb: [((two))]", &[]).unwrap_err();
        assert_eq!(error.to_string(), "Expected to find variables: one, two");
    }
}
