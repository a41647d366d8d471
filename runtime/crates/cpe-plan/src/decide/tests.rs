mod history;
mod limits;
mod plans_2015;
mod properties;
mod table;
