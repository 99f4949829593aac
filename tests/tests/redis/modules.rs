// Included by the test program of each driver.
mod adversity;
mod budgets;
mod common;
mod declared;
mod expiry;
mod foreign;
mod inspection;
mod limits;
mod outages;
mod ownership;
mod permissions;
mod readonly;
mod review;
mod scans;
mod tls;
mod watching;
mod wire;
