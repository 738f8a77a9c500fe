use crate::config::Settings;
use crate::error::*;
use crate::seam::*;
use crate::store::*;
use std::rc::Rc;
use std::sync::Arc;
pub struct Identity {
    pub id: String,
}
pub struct Authority;
impl Authority {
    pub async fn new(
        _s: Rc<dyn DocumentStore>,
        _seam: SharedSeam,
        _x: Arc<Settings>,
        _secret: &str,
    ) -> Result<Rc<Self>> {
        Ok(Rc::new(Self))
    }
    pub fn identify_cached(&self, _t: &str) -> Option<Rc<Identity>> {
        None
    }
    pub async fn identify_for(
        &self,
        _t: &str,
        _c: &str,
        _ip: &str,
        _a: &str,
        _v: &str,
    ) -> Result<Rc<Identity>> {
        Err(Error::denied("x"))
    }
    pub fn guest(&self) -> Result<Rc<Identity>> {
        Err(Error::denied("x"))
    }
}
pub mod bootstrap {
    use super::*;
    pub struct Bootstrapped {
        pub generated_password: Option<String>,
        pub secret: String,
    }
    pub async fn prepare(
        _s: &dyn DocumentStore,
        _seam: &SharedSeam,
        _x: &Settings,
    ) -> Result<Bootstrapped> {
        Ok(Bootstrapped {
            generated_password: None,
            secret: "x".into(),
        })
    }
}
