// Included by the test program of each driver.
mod bed;
mod check;
mod dump;
mod each_fault;
mod fixture;
mod operations;
