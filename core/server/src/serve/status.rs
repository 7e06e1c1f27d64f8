//! The operator's page: plain HTML that reads itself anew, with counts and nothing else.

use std::fmt::Write as _;

use super::AllFigures;
use crate::radar::{PoolCounts, Radar};

/// Every two seconds, without a script.
const HEAD: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" \
content=\"2\"><meta name=\"viewport\" content=\"width=device-width\"><title>Sidetone: status</title><style>\
:root{color-scheme:light dark}body{font:15px/1.4 system-ui,sans-serif;margin:1.5rem auto;max-width:60rem;padding:0 1rem}\
table{border-collapse:collapse;margin:0 0 2rem}th,td{padding:.15rem 1rem .15rem 0;text-align:right;white-space:nowrap}\
th:first-child,td:first-child{text-align:left}td{font-variant-numeric:tabular-nums}</style></head><body>\
<h1>Status</h1>";

/// The page.
pub(super) fn page(figures: &AllFigures, radar: &Radar) -> String {
    let mut page = HEAD.to_owned();
    let now = [
        ("Open sockets", figures.desk.sockets),
        ("Relayed links", figures.relay.allocations),
        ("Among strangers now", radar.active),
        ("Visitors to strangers today", radar.visitors_today),
        ("Slowed by work", radar.slowed),
        ("In the shadow", radar.shadowed),
        ("Barred", radar.barred),
        ("Complaints today", radar.reports_today.iter().sum()),
    ];
    page.push_str("<h2>Now</h2><table>");
    for (what, count) in now {
        // Writing to a string does not fail.
        let _ = write!(page, "<tr><td>{what}</td><td>{count}</td></tr>");
    }
    page.push_str(
        "</table><h2>Strangers, the last hour</h2><table><tr><th></th><th>waiting</th><th>talking</th><th>matches</th>\
         <th>skips</th><th>unwanted</th><th>complaints</th><th>&le;10 s</th><th>&le;1 min</th><th>&le;5 min</th>\
         <th>&le;30 min</th><th>longer</th></tr>",
    );
    for (name, pool) in ["Text", "Voice", "Video"].into_iter().zip(&radar.pools) {
        let _ = write!(page, "<tr><td>{name}</td>");
        for count in row(pool) {
            let _ = write!(page, "<td>{count}</td>");
        }
        page.push_str("</tr>");
    }
    page.push_str("</table></body></html>");
    page
}

fn row(pool: &PoolCounts) -> Vec<u64> {
    let sum = |of: fn(&crate::radar::Minute) -> u64| pool.minutes.iter().map(of).sum();
    let mut row = vec![
        pool.waiting,
        pool.matched,
        sum(|minute| minute.matches),
        sum(|minute| minute.skips),
        sum(|minute| minute.unwanted),
        sum(|minute| minute.reports),
    ];
    row.extend((0..5).map(|length| pool.minutes.iter().map(|minute| minute.lengths[length]).sum::<u64>()));
    row
}
