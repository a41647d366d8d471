mod history;
mod keys;
mod limits;
mod plans_2015;
mod properties;
mod sections;
mod table;
