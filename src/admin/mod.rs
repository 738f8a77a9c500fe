//! What an operator meets: the command line, the banner, the doctor, the load tool.

pub mod banner;
pub mod cli;
pub mod doctor;
pub mod logging;
pub mod pages;
pub mod serve;
