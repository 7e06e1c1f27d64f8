//! What is published about an export.

use serde_json::Value as Json;

/// Where an export is not what its schema says.
pub fn faults(document: &Json) -> Vec<String> {
    let schema: Json = serde_json::from_str(include_str!("../../../../docs/export.schema.json")).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}
