//! What the laboratory found, as text, as a page and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Outcome, Rule, Together};

/// The words of one row: both places, what was allowed, the way, the time, both explanations, and whether all is as it
/// should be.
fn row(outcome: &Outcome) -> [String; 7] {
    let [one, other] = outcome.cell.places.map(|place| place.word().to_owned());
    let together = match outcome.cell.together {
        Together::Apart => "",
        Together::Neighbours => ", one network",
        Together::Hairpin => ", one router with hairpin",
        Together::Strangers => ", one router without hairpin",
    };
    let rule = match outcome.cell.rule {
        Rule::Any => "any way",
        Rule::Hides => "first hides",
        Rule::DirectOnly => "no relay",
    };
    let said = |phone: usize| {
        let report = &outcome.reports[phone];
        let right = if report.cause == outcome.truth.causes[phone] { "" } else { " (wrong)" };
        format!("{:?}/{:?}{right}", report.cause, report.action)
    };
    let met = if outcome.is_met() {
        format!("{:?}", outcome.way)
    } else {
        format!("{:?} (should: {:?})", outcome.way, outcome.truth.way)
    };
    let took = outcome.setup_ms.map_or_else(|| "-".to_owned(), |ms| ms.to_string());
    [format!("{one}{together}"), other, rule.to_owned(), met, took, said(0), said(1)]
}

const HEADS: [&str; 7] = ["first phone", "second phone", "allowed", "way", "set-up ms", "first says", "second says"];

/// What share of explanations is right, and of pairs met as they should.
fn scores(outcomes: &[Outcome]) -> (f64, f64) {
    let count = outcomes.len().max(1) as f64;
    let right: usize = outcomes.iter().map(Outcome::right).sum();
    let met = outcomes.iter().filter(|outcome| outcome.is_met()).count();
    (right as f64 / (2.0 * count), met as f64 / count)
}

/// A table for a terminal.
#[must_use]
pub fn table(outcomes: &[Outcome]) -> String {
    let rows: Vec<[String; 7]> = std::iter::once(HEADS.map(str::to_owned)).chain(outcomes.iter().map(row)).collect();
    let widths: Vec<usize> = (0..7).map(|at| rows.iter().map(|row| row[at].len()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "{cell:<width$}  ");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    let (right, met) = scores(outcomes);
    let _ = writeln!(
        text,
        "{} pairs, {:.1} % met by the cheapest way or ended as they should, {:.1} % of explanations right",
        outcomes.len(),
        100.0 * met,
        100.0 * right
    );
    text
}

/// The same as JSON.
#[must_use]
pub fn json(outcomes: &[Outcome]) -> Value {
    let (right, met) = scores(outcomes);
    let cells: Vec<Value> = outcomes
        .iter()
        .map(|outcome| {
            let [one, other] = outcome.cell.places.map(super::Place::word);
            json!({
                "places": [one, other],
                "together": format!("{:?}", outcome.cell.together),
                "rule": format!("{:?}", outcome.cell.rule),
                "way": format!("{:?}", outcome.way),
                "should": format!("{:?}", outcome.truth.way),
                "setup_ms": outcome.setup_ms,
                "causes": outcome.reports.each_ref().map(|report| report.cause.number()),
                "actions": outcome.reports.each_ref().map(|report| report.action.number()),
                "causes_should": outcome.truth.causes.map(sidetone::connectivity::Cause::number),
                "evidence": outcome.reports.each_ref().map(|report| format!("{:?}", report.evidence)),
            })
        })
        .collect();
    json!({ "pairs": outcomes.len(), "met": met, "explained": right, "cells": cells })
}

/// The same as a page.
#[must_use]
pub fn html(outcomes: &[Outcome]) -> String {
    let (right, met) = scores(outcomes);
    let mut page = String::from(
        "<!doctype html><meta charset=utf-8><title>Laboratory</title><style>body{font:14px sans-serif;margin:2em}\
         table{border-collapse:collapse}td,th{border:1px solid #bbb;padding:.3em .6em;text-align:left}\
         .no{background:#fdd}</style><h1>Two phones, two situations</h1>",
    );
    let _ = write!(
        page,
        "<p>{} pairs; {:.1} % met by the cheapest way that was allowed or ended as they should; {:.1} % of explanations \
         right.<table><tr>",
        outcomes.len(),
        100.0 * met,
        100.0 * right
    );
    HEADS.iter().for_each(|head| {
        let _ = write!(page, "<th>{head}");
    });
    for outcome in outcomes {
        let good = outcome.is_met() && outcome.right() == 2;
        let _ = write!(page, "<tr{}>", if good { "" } else { " class=no" });
        row(outcome).iter().for_each(|cell| {
            let _ = write!(page, "<td>{cell}");
        });
    }
    page.push_str("</table>");
    page
}
