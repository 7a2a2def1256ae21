//! The app's own modules as one generated module, so that they are in the component whatever else happens.

use super::start::Start;
use crate::failure;
use std::{fmt::Write as _, fs, io, path::Path};
use virga_contract::staging::StagingError;

/// Writes the folder that componentize-py starts from: the bridge, and `virga_app` with the app's modules in it.
pub(super) fn write(app: &Path, start: &Start, toolchain: &Path, bridge: &Path) -> Result<(), StagingError> {
    let written = fs::create_dir_all(bridge)
        .and_then(|()| fs::copy(toolchain.join("virga_bridge.py"), bridge.join("virga_bridge.py")))
        .and_then(|_| generated(app, start))
        .and_then(|text| fs::write(bridge.join("virga_app.py"), text));
    written.map_err(|error| failure::internal("write the app's modules", &error))
}

fn generated(app: &Path, start: &Start) -> io::Result<String> {
    let mut text = String::from("# The app's own modules: name -> (file, whether it is a package, source).\n");
    let attribute = start.attribute.as_deref().map_or_else(|| "None".to_owned(), literal);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "MODULE = {}\nATTRIBUTE = {attribute}\nSOURCES = {{", literal(&start.module));
    let entries = walkdir::WalkDir::new(app).min_depth(1).sort_by_file_name().into_iter();
    for entry in entries.filter_entry(|entry| {
        !entry.file_name().to_str().is_none_or(|name| name.starts_with('.') || name == "__pycache__" || name == "node_modules")
    }) {
        let entry = entry?;
        let inside = entry.path().strip_prefix(app).unwrap_or(entry.path());
        let Some(name) = inside.to_str().and_then(|path| path.strip_suffix(".py")) else { continue };
        // What is not text cannot be imported, and is found out when somebody tries.
        let (true, Ok(source)) = (entry.file_type().is_file(), fs::read_to_string(entry.path())) else { continue };
        let dotted = name.replace('/', ".");
        let package = dotted.strip_suffix(".__init__");
        let _ = writeln!(
            text,
            "    {}: ({}, {}, {}),",
            literal(package.unwrap_or(&dotted)),
            literal(&inside.to_string_lossy()),
            if package.is_some() { "True" } else { "False" },
            literal(&source)
        );
    }
    text.push_str("}\n");
    Ok(text)
}

/// A text as a literal of Python: JSON's escapes mean the same there.
fn literal(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_and_packages_get_their_names() {
        let app = tempfile::tempdir().unwrap();
        fs::create_dir_all(app.path().join("shop/.hidden")).unwrap();
        fs::write(app.path().join("shop/__init__.py"), "").unwrap();
        fs::write(app.path().join("shop/cart.py"), "x = \"a\\n\"\n").unwrap();
        fs::write(app.path().join("shop/.hidden/no.py"), "").unwrap();
        let text = generated(app.path(), &Start { module: "shop".into(), attribute: None }).unwrap();
        assert!(text.contains(r#""shop": ("shop/__init__.py", True, ""),"#), "{text}");
        assert!(text.contains(r#""shop.cart": ("shop/cart.py", False, "x = \"a\\n\"\n"),"#), "{text}");
        assert!(!text.contains("hidden"));
    }
}
