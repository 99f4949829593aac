// Included by the test program of each driver.
mod budgets;
mod common;
mod expiry;
mod foreign;
mod limits;
mod outages;
mod ownership;
mod permissions;
mod review;
mod scans;
mod tls;
mod wire;
