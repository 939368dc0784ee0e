//! CycloneDX bill of materials (PEP 770) of the carried libraries.
