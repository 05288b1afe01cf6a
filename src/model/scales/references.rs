//! Finds rows that resemble earlier rows.
