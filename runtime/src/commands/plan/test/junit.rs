//! The report as JUnit XML, which CI servers read. Pure.

use std::{fmt::Write, time::Duration};

use super::report::{FileReport, Sum, of_case};

pub(super) fn junit(reports: &[FileReport]) -> String {
    let sum = Sum::of(reports);
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        xml,
        "<testsuites name=\"cpe plan test\" tests=\"{}\" failures=\"{}\" errors=\"0\" \
         time=\"{}\">",
        sum.passed + sum.failed,
        sum.failed,
        seconds(sum.took)
    );
    for report in reports {
        suite(report, &mut xml);
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn suite(report: &FileReport, xml: &mut String) {
    let failed = report.cases.iter().filter(|ran| !ran.mismatches.is_empty()).count();
    let took: Duration = report.cases.iter().map(|ran| ran.took).sum();
    let file = escaped(&report.file);
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{file}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" \
         skipped=\"0\" time=\"{}\">",
        report.cases.len(),
        seconds(took)
    );
    for ran in &report.cases {
        let (name, class) = (escaped(&ran.name), escaped(&report.plan));
        let _ = write!(
            xml,
            "    <testcase name=\"{name}\" classname=\"{class}\" file=\"{file}\" line=\"{}\" \
             time=\"{}\"",
            ran.line,
            seconds(ran.took)
        );
        if ran.mismatches.is_empty() {
            xml.push_str("/>\n");
            continue;
        }
        let what: Vec<&str> =
            ran.mismatches.iter().map(|mismatch| mismatch.what.as_str()).collect();
        let (message, text) = (escaped(&what.join(", ")), escaped(&of_case(&report.file, ran)));
        let _ = writeln!(
            xml,
            ">\n      <failure message=\"{message}\">{text}</failure>\n    </testcase>"
        );
    }
    xml.push_str("  </testsuite>\n");
}

fn seconds(took: Duration) -> String {
    format!("{:.3}", took.as_secs_f64())
}

/// As XML has it in attributes and in text. What XML 1.0 cannot carry at all becomes `?`.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\r' => out.push_str("&#13;"),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{
        super::{compare::Mismatch, run::Ran},
        *,
    };

    #[test]
    fn whatever_a_case_says_is_well_formed() {
        let hostile = "a <b> & \"c\" 'd' ]]> \u{1} \u{ffff}\n\té";
        let mismatch = Mismatch {
            line: 1,
            column: 2,
            what: hostile.to_owned(),
            differences: vec![hostile.to_owned(), hostile.to_owned()],
        };
        let ran = |mismatches| Ran {
            name: hostile.to_owned(),
            line: 3,
            mismatches,
            elapsed: Duration::from_secs(90),
            took: Duration::from_millis(1_500),
        };
        let report = FileReport {
            file: hostile.to_owned(),
            plan: hostile.to_owned(),
            cases: vec![ran(Vec::new()), ran(vec![mismatch])],
        };
        let xml = junit(&[report]);
        let document = counted(&xml);
        assert_eq!(document, (1, 2, 1), "{xml}");
        assert!(xml.contains("time=\"1.500\"") && xml.contains("failures=\"1\""), "{xml}");
    }

    /// Suites, cases and failures of a document that an XML parser has read to its end.
    fn counted(xml: &str) -> (usize, usize, usize) {
        use quick_xml::{Reader, XmlVersion, events::Event};

        let mut reader = Reader::from_str(xml);
        reader.config_mut().check_end_names = true;
        let mut open = Vec::new();
        let mut counts = (0, 0, 0);
        loop {
            let event = reader.read_event().unwrap();
            let name = match &event {
                Event::Start(tag) | Event::Empty(tag) => {
                    for attribute in tag.attributes() {
                        attribute.unwrap().normalized_value(XmlVersion::Explicit1_0).unwrap();
                    }
                    String::from_utf8(tag.name().as_ref().to_vec()).unwrap()
                }
                _ => String::new(),
            };
            match name.as_str() {
                "testsuite" => counts.0 += 1,
                "testcase" => counts.1 += 1,
                "failure" => counts.2 += 1,
                _ => {}
            }
            match event {
                Event::Start(_) => open.push(name),
                Event::End(_) => drop(open.pop().unwrap()),
                Event::Eof => break,
                _ => {}
            }
        }
        assert!(open.is_empty());
        counts
    }
}
