//! The web, as far as the CA looks at it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// The responses that the CA finds on the web: (host, token) → body.
pub type Web = Rc<RefCell<HashMap<(String, String), String>>>;
