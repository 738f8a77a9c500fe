//! What an operator meets: the command line, the banner, the doctor, the load tool.

pub mod banner;
pub mod call;
pub mod cli;
pub mod doctor;
pub mod link;
pub mod load;
pub mod logging;
pub mod pages;
pub mod rest;
pub mod serve;
pub mod users;
