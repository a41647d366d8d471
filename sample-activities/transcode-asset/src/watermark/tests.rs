use image::{GrayImage, Luma, Rgba, metadata::Orientation};
use serde_json::{Value, json};

use super::*;

fn wanted(keys: Value) -> Watermark {
    let mut wanted = json!({"bucket": "brand", "file": "logo.png"});
    wanted.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    serde_json::from_value(wanted).unwrap()
}

fn white(width: u32, height: u32) -> DynamicImage {
    RgbImage::from_pixel(width, height, Rgb([255; 3])).into()
}

fn black(width: u32, height: u32) -> DynamicImage {
    RgbaImage::from_pixel(width, height, Rgba([0, 0, 0, 255])).into()
}

/// Draws what came of a white picture of 8 by 4.
fn check(mark: &DynamicImage, keys: Value, expected: [&str; 4]) {
    let marked = lay_over(white(8, 4), mark, &wanted(keys)).unwrap();
    let rows: Vec<String> = marked
        .to_luma8()
        .rows()
        .map(|row| {
            row.map(|Luma([v])| match v {
                0..=80 => '#',
                81..=180 => '+',
                _ => '.',
            })
            .collect()
        })
        .collect();
    assert_eq!(rows, expected);
}

#[test]
fn it_lies_where_it_is_wanted() {
    let mark = black(3, 2);
    check(&mark, json!({}), ["###.....", "###.....", "........", "........"]);
    check(&mark, json!({"x": 1, "y": 1}), ["........", ".###....", ".###....", "........"]);
    check(&mark, json!({"x": -1, "y": "-0"}), ["........", "........", "....###.", "....###."]);
    check(&mark, json!({"x": 6, "y": 3}), ["........", "........", "........", "......##"]);
    check(&mark, json!({"x": -6}), ["##......", "##......", "........", "........"]);
}

#[test]
fn size_and_opacity() {
    let mark = black(30, 20);
    check(
        &mark,
        json!({"size": "3x3", "opacity": 0.5}),
        ["+++.....", "+++.....", "........", "........"],
    );
    check(&mark, json!({"size": "10%", "opacity": 0}), ["........"; 4]);
}

#[test]
fn a_mark_that_would_not_be_seen_is_refused() {
    for keys in [json!({"x": 8}), json!({"y": -4, "x": 2}), json!({"x": -8})] {
        let refusal = lay_over(white(8, 4), &black(2, 2), &wanted(keys)).unwrap_err();
        assert_eq!(refusal.reason, "asset.watermark-outside");
    }
}

#[test]
fn a_mark_on_nothing_keeps_its_own_alpha() {
    let clear = DynamicImage::from(RgbaImage::new(4, 4));
    let mark = RgbaImage::from_pixel(2, 2, Rgba([10, 20, 30, 128])).into();
    let marked = lay_over(clear, &mark, &wanted(json!({}))).unwrap().into_rgba8();
    assert_eq!(marked.get_pixel(1, 1), &Rgba([10, 20, 30, 128]));
    assert_eq!(marked.get_pixel(3, 3), &Rgba([0, 0, 0, 0]));
}

#[test]
fn a_grey_picture_takes_a_coloured_mark() {
    let gray = DynamicImage::from(GrayImage::from_pixel(4, 4, Luma([100])));
    let mark = RgbaImage::from_pixel(2, 2, Rgba([250, 0, 0, 255])).into();
    let marked = lay_over(gray, &mark, &wanted(json!({}))).unwrap().into_rgb8();
    assert_eq!(marked.get_pixel(0, 0), &Rgb([250, 0, 0]));
    assert_eq!(marked.get_pixel(3, 3), &Rgb([100, 100, 100]));
}

#[test]
fn the_mark_is_turned_upright() {
    let picture = Picture { image: black(3, 2), orientation: Orientation::Rotate90, icc: None };
    let mark = upright(picture);
    assert_eq!((mark.width(), mark.height()), (2, 3));
}
