//! What the scheduler reads of the desired state, and the tables it alone writes.
//!
//! One look at the desired state is a fixed number of statements, however many apps there are; one for what changed
//! reads few rows.

mod actual;
mod desired;
mod tasks;
#[cfg(test)]
mod tests;

pub use actual::{ActualInstanceRow, delete_actual, list_actual, next_first_revision, write_actual};
pub use desired::{
    DesiredRouteRow, DesiredRow, PinnedRow, RunningRules, SpecRow, count_desired, count_desired_routes, delete_pinned, list_desired,
    list_desired_routes, list_desired_routes_since, list_desired_since, list_pinned, list_running_rules, list_specs, running_variables,
    write_pinned,
};
pub use tasks::{TaskSpecRow, find_task_spec};

/// `($1, $2), ($3, $4), …`: `rows` tuples of `columns` placeholders.
fn tuples(rows: usize, columns: usize) -> String {
    let tuple = |row: usize| {
        let marks: Vec<String> = (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", marks.join(", "))
    };
    (0..rows).map(tuple).collect::<Vec<_>>().join(", ")
}

/// `$1, $2, …`.
fn marks(count: usize) -> String {
    (1..=count).map(|mark| format!("${mark}")).collect::<Vec<_>>().join(", ")
}

/// Rows of one statement: below the databases' limits on bound values (SQLite 32,766, PostgreSQL 65,535) by far.
const CHUNK: usize = 200;
