//! Rows of CBOR as JSON and back, by their [`Shape`]. Nothing is lost on the way but what is secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ciborium::Value;
use serde_json::{Map, Value as Json};

use super::shape::Shape;

/// Bytes of the shortest secret that anything here keeps.
const KEY_BYTES: usize = 32;

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
                    None => (format!("kind_{}", i128::from(*kind)), Shape::Unknown),
                };
                object([(name, to_json(body, shape, secret))])
            }
            _ => unknown(value, secret),
        },
        (Shape::Plain, _) => plain(value),
        _ => unknown(value, secret),
    }
}

fn fields_to_json(entries: &[(Value, Value)], fields: &[(u64, &str, Shape)], secret: &mut bool) -> Json {
    let mut object = Map::new();
    for (key, value) in entries {
        let Value::Integer(number) = key else { continue };
        let number = i128::from(*number);
        let (name, shape) = match fields.iter().find(|(known, ..)| number == i128::from(*known)) {
            Some((_, name, shape)) => ((*name).to_owned(), *shape),
            None => (format!("field_{number}"), Shape::Unknown),
        };
        let mut left_out = false;
        let value = to_json(value, shape, &mut left_out);
        *secret |= left_out;
        if !(left_out && value.is_null()) {
            object.insert(name, value);
        }
    }
    Json::Object(object)
}

/// One by one: collecting them would link a sort of its own.
fn object(fields: impl IntoIterator<Item = (String, Json)>) -> Json {
    let mut object = Map::new();
    for (name, value) in fields {
        object.insert(name, value);
    }
    Json::Object(object)
}

/// What is newer than this code: whatever in it could be a key is taken for one.
fn unknown(value: &Value, secret: &mut bool) -> Json {
    match value {
        Value::Bytes(bytes) if bytes.len() >= KEY_BYTES => {
            *secret = true;
            Json::Null
        }
        Value::Array(values) => values.iter().map(|value| unknown(value, secret)).collect(),
        Value::Map(entries) => fields_to_json(entries, &[], secret),
        _ => plain(value),
    }
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
        Value::Bytes(bytes) => object([("base64".to_owned(), STANDARD.encode(bytes).into())]),
        Value::Text(text) => Json::String(text.clone()),
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Float(number) => serde_json::Number::from_f64(*number).map_or(Json::Null, Json::Number),
        Value::Array(values) => values.iter().map(plain).collect(),
        Value::Map(entries) => {
            let known = entries.iter().filter_map(|(key, value)| Some((key.as_integer()?, value)));
            object(known.map(|(key, value)| (format!("field_{}", i128::from(key)), plain(value))))
        }
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
                None => (name.strip_prefix("kind_")?.parse().ok()?, Shape::Unknown),
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
            None => (name.strip_prefix("field_")?.parse::<u64>().ok()?, Shape::Unknown),
        };
        entries.push((Value::Integer(number.into()), to_cbor(value, shape)?));
    }
    arrange(&mut entries);
    Some(Value::Map(entries))
}

/// Puts fields in the order of their numbers.
pub fn arrange(fields: &mut [(Value, Value)]) {
    fields.sort_by_key(|(key, _)| key.as_integer().map(i128::from));
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

/// Puts zeros in the place of secrets that were left out of a value of this shape; gives whether there were any.
pub fn fill(value: &mut Value, shape: Shape) -> bool {
    match (shape, value) {
        (Shape::Fields(fields), Value::Map(entries)) => {
            let mut filled = false;
            for (number, _, shape) in fields {
                let at = entries.iter().position(|(key, _)| *key == Value::Integer((*number).into()));
                match (at, shape) {
                    (Some(at), shape) => filled |= fill(&mut entries[at].1, *shape),
                    (None, Shape::Secret) => {
                        entries.push((Value::Integer((*number).into()), Value::Bytes(vec![0; KEY_BYTES])));
                        filled = true;
                    }
                    (None, _) => {}
                }
            }
            arrange(entries);
            filled
        }
        (Shape::Kinds(kinds), Value::Array(pair)) => match &mut pair[..] {
            [Value::Integer(kind), body] => {
                let known = kinds.iter().find(|(number, ..)| i128::from(*kind) == i128::from(*number));
                known.is_some_and(|(_, _, shape)| fill(body, *shape))
            }
            _ => false,
        },
        _ => false,
    }
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const ROW: Shape = Shape::Fields(&[(0, "name", Shape::Plain), (1, "key", Shape::Secret)]);

    fn map(entries: Vec<(u64, Value)>) -> Value {
        Value::Map(entries.into_iter().map(|(key, value)| (Value::Integer(key.into()), value)).collect())
    }

    #[test]
    fn what_could_be_a_key_of_a_newer_version_is_never_written_in_clear() {
        let key = || Value::Bytes(vec![7; 32]);
        let newer = [
            map(vec![(0, Value::Text("x".into())), (9, key())]),
            map(vec![(9, map(vec![(3, key())]))]),
            map(vec![(9, Value::Array(vec![Value::Array(vec![key()])]))]),
            map(vec![(0, Value::Text("x".into())), (1, key())]),
        ];
        for value in newer {
            let mut secret = false;
            let text = to_json(&value, ROW, &mut secret).to_string();
            assert!(secret, "it goes into the sealed part: {text}");
            assert!(!text.contains(&hex(&[7; 32])) && !text.contains(&STANDARD.encode([7; 32])), "{text}");
        }
        let (id, mut secret) = (map(vec![(9, Value::Bytes(vec![7; 16]))]), false);
        let json = to_json(&id, ROW, &mut secret);
        assert_eq!((to_cbor(&json, ROW), secret), (Some(id), false), "what is no key comes through");
    }

    #[test]
    fn a_secret_that_was_left_out_is_known_to_be_missing() {
        let mut bare = map(vec![(0, Value::Text("x".into()))]);
        assert!(fill(&mut bare, ROW));
        assert!(!fill(&mut bare, ROW), "nothing is missing any more");
    }
}
