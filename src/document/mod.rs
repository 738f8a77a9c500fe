pub mod filter {
    pub struct Filter;
}
pub mod projection {
    pub struct Projection;
}
pub mod sort {
    pub struct Sort;
}
