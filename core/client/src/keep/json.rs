//! Rows of CBOR as JSON and back, by their [`Shape`]. Nothing is lost on the way but what is secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ciborium::Value;
use serde_json::{Map, Value as Json};

use super::shape::Shape;

/// What a value of CBOR looks like, and whether something secret was left out.
pub fn to_json(value: &Value, shape: Shape, secret: &mut bool) -> Json {
    match (shape, value) {
        (Shape::Secret, _) => {
            *secret = true;
            Json::Null
        }
        (Shape::Hex, Value::Bytes(bytes)) => Json::String(hex(bytes)),
        (Shape::Word(words), Value::Integer(number)) => {
            let word = usize::try_from(i128::from(*number)).ok().and_then(|number| words.get(number));
            word.map_or_else(|| plain(value), |word| Json::String((*word).to_owned()))
        }
        (Shape::Fields(fields), Value::Map(entries)) => fields_to_json(entries, fields, secret),
        (Shape::Kinds(kinds), Value::Array(pair)) => match &pair[..] {
            [Value::Integer(kind), body] => {
                let known = kinds.iter().find(|(number, ..)| i128::from(*kind) == i128::from(*number));
                let (name, shape) = match known {
                    Some((_, name, shape)) => ((*name).to_owned(), *shape),
                    None => (format!("kind_{}", i128::from(*kind)), Shape::Plain),
                };
                Json::Object(Map::from_iter([(name, to_json(body, shape, secret))]))
            }
            _ => plain(value),
        },
        _ => plain(value),
    }
}

fn fields_to_json(entries: &[(Value, Value)], fields: &[(u64, &str, Shape)], secret: &mut bool) -> Json {
    let mut object = Map::new();
    for (key, value) in entries {
        let Value::Integer(number) = key else { continue };
        let number = i128::from(*number);
        let (name, shape) = match fields.iter().find(|(known, ..)| number == i128::from(*known)) {
            Some((_, name, shape)) => ((*name).to_owned(), *shape),
            None => (format!("field_{number}"), Shape::Plain),
        };
        let value = to_json(value, shape, secret);
        if !matches!(shape, Shape::Secret) {
            object.insert(name, value);
        }
    }
    Json::Object(object)
}

fn plain(value: &Value) -> Json {
    match value {
        Value::Integer(number) => {
            let number = i128::from(*number);
            u64::try_from(number)
                .map(Json::from)
                .or_else(|_| i64::try_from(number).map(Json::from))
                .unwrap_or(Json::Null)
        }
        Value::Bytes(bytes) => Json::Object(Map::from_iter([("base64".to_owned(), STANDARD.encode(bytes).into())])),
        Value::Text(text) => Json::String(text.clone()),
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Float(number) => serde_json::Number::from_f64(*number).map_or(Json::Null, Json::Number),
        Value::Array(values) => values.iter().map(plain).collect(),
        Value::Map(entries) => fields_to_json(entries, &[], &mut false),
        _ => Json::Null,
    }
}

/// The CBOR that a value was; `None` if it has not the shape.
pub fn to_cbor(json: &Json, shape: Shape) -> Option<Value> {
    match (shape, json) {
        (Shape::Secret, _) => None,
        (Shape::Hex, Json::String(digits)) => unhex(digits).map(Value::Bytes),
        (Shape::Word(words), Json::String(word)) => {
            let number = words.iter().position(|known| known == word)?;
            Some(Value::Integer(u64::try_from(number).ok()?.into()))
        }
        (Shape::Fields(fields), Json::Object(object)) => fields_to_cbor(object, fields),
        (Shape::Kinds(kinds), Json::Object(object)) => {
            let (name, body) = object.iter().next().filter(|_| object.len() == 1)?;
            let (number, shape) = match kinds.iter().find(|(_, known, _)| known == name) {
                Some((number, _, shape)) => (*number, *shape),
                None => (name.strip_prefix("kind_")?.parse().ok()?, Shape::Plain),
            };
            Some(Value::Array(vec![Value::Integer(number.into()), to_cbor(body, shape)?]))
        }
        _ => from_plain(json),
    }
}

fn fields_to_cbor(object: &Map<String, Json>, fields: &[(u64, &str, Shape)]) -> Option<Value> {
    let mut entries = Vec::new();
    for (name, value) in object {
        let (number, shape) = match fields.iter().find(|(_, known, _)| known == name) {
            Some((number, _, shape)) => (*number, *shape),
            None => (name.strip_prefix("field_")?.parse().ok()?, Shape::Plain),
        };
        entries.push((number, to_cbor(value, shape)?));
    }
    entries.sort_by_key(|(number, _)| *number);
    Some(Value::Map(entries.into_iter().map(|(number, value)| (Value::Integer(number.into()), value)).collect()))
}

fn from_plain(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => Value::Integer(number.into()),
            (_, Some(number)) => Value::Integer(number.into()),
            _ => Value::Float(number.as_f64()?),
        },
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(values) => Value::Array(values.iter().map(from_plain).collect::<Option<_>>()?),
        Json::Object(object) => match object.get("base64") {
            Some(Json::String(digits)) if object.len() == 1 => Value::Bytes(STANDARD.decode(digits).ok()?),
            _ => fields_to_cbor(object, &[])?,
        },
    })
}

/// Lower-case digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes of pairs of digits.
pub fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::try_from(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?).ok()).collect()
}
