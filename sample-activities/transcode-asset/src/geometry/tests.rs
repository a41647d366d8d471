use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

const FIT: Fit = Fit { keep_ratio: true, no_enlarge: false };

/// What the sizes make of pictures: one line each.
fn check(from: Size, fit: Fit, sizes: &[&str], expected: Expect) {
    let lines: Vec<String> = sizes
        .iter()
        .map(|text| match Resize::parse(text).map(|resize| resize.target(from, fit)) {
            Ok(Ok(size)) => format!("{text} -> {size}"),
            Ok(Err(refusal)) => format!("{text} -> {refusal}"),
            Err(wrong) => wrong,
        })
        .collect();
    expected.assert_eq(&(lines.join("\n") + "\n"));
}

#[test]
fn a_box_holds_the_picture_in_its_shape() {
    check(
        Size::new(2048, 1365),
        FIT,
        &[
            "1200x800",
            "320x320",
            "1200X",
            "x800",
            "800",
            "-1:159",
            "1200:-1",
            "50%",
            "33.3%",
            "4096x4096",
            "100x100!",
            "4096x4096>",
            " 640x480 ",
            "1x1000",
        ],
        expect![[r#"
            1200x800 -> 1200x800
            320x320 -> 320x213
            1200X -> 1200x800
            x800 -> 1200x800
            800 -> 800x533
            -1:159 -> 239x159
            1200:-1 -> 1200x800
            50% -> 1024x683
            33.3% -> 682x455
            4096x4096 -> 4096x2730
            100x100! -> 100x100
            4096x4096> -> 2048x1365
             640x480  -> 640x427
            1x1000 -> 1x1
        "#]],
    );
}

#[test]
fn without_the_ratio_the_box_is_filled() {
    check(
        Size::new(200, 100),
        Fit { keep_ratio: false, no_enlarge: false },
        &["50x50", "300x300", "50x"],
        expect![[r#"
            50x50 -> 50x50
            300x300 -> 300x300
            50x -> 50x25
        "#]],
    );
}

#[test]
fn without_enlargement_a_small_picture_stays() {
    let no_enlarge = true;
    check(
        Size::new(200, 100),
        Fit { keep_ratio: true, no_enlarge },
        &["50x50", "300x300", "200%", "x300"],
        expect![[r#"
            50x50 -> 50x25
            300x300 -> 200x100
            200% -> 200x100
            x300 -> 200x100
        "#]],
    );
    check(
        Size::new(200, 100),
        Fit { keep_ratio: false, no_enlarge },
        &["50x300", "300x50"],
        expect![[r#"
            50x300 -> 50x100
            300x50 -> 200x50
        "#]],
    );
}

#[test]
fn what_is_no_size_is_told() {
    check(
        Size::new(200, 100),
        FIT,
        &[
            "", "x", "-1:-1", "0x10", "ax10", "10x-2", "65536x1", "0%", "1e9%", "NaN%", "10000%",
            "x65535",
        ],
        expect![[r#"
            `` is no size: write WxH, Wx, xH, -1:H or W:-1 with sides from 1 to 65535, or a percentage such as 50%
            `x` is no size: write WxH, Wx, xH, -1:H or W:-1 with sides from 1 to 65535, or a percentage such as 50%
            `-1:-1` is no size: write WxH, Wx, xH, -1:H or W:-1 with sides from 1 to 65535, or a percentage such as 50%
            `0x10` is no size: write WxH, Wx, xH, -1:H or W:-1 with sides from 1 to 65535, or a percentage such as 50%
            `ax10` is no size: write WxH, Wx, xH, -1:H or W:-1 with sides from 1 to 65535, or a percentage such as 50%
            `10x-2` is no size: write WxH, Wx, xH, -1:H or W:-1 with sides from 1 to 65535, or a percentage such as 50%
            `65536x1` is no size: write WxH, Wx, xH, -1:H or W:-1 with sides from 1 to 65535, or a percentage such as 50%
            `0%` is not from 0.01% to 10000%
            `1e9%` is not from 0.01% to 10000%
            `NaN%` is not from 0.01% to 10000%
            10000% -> media.too-large: 200x100 would become 20000x10000; at most 100000000 pixels and sides of 65535 are made
            x65535 -> media.too-large: 200x100 would become 131070x65535; at most 100000000 pixels and sides of 65535 are made
        "#]],
    );
}

#[test]
fn a_crop_lies_within_the_picture() {
    let lines: Vec<String> = [
        "600x600+700+300",
        "600x600",
        "600x600-0-0",
        "600x600+0-10",
        "2048x1365+0+0",
        "2049x10+0+0",
        "600x600+1449+0",
        "600x600-1449+0",
        "10x10+5",
        "10+5+5",
        "10x10+5+5+5",
        "0x10+0+0",
        "10x10+99999+0",
        "axb+0+0",
        "10x10+5é+1",
    ]
    .into_iter()
    .map(|text| match Crop::parse(text).map(|crop| crop.rect(Size::new(2048, 1365))) {
        Ok(Ok(rect)) => format!("{text} -> {} at {},{}", rect.size, rect.x, rect.y),
        Ok(Err(refusal)) => format!("{text} -> {refusal}"),
        Err(wrong) => wrong,
    })
    .collect();
    expect![[r#"
        600x600+700+300 -> 600x600 at 700,300
        600x600 -> 600x600 at 0,0
        600x600-0-0 -> 600x600 at 1448,765
        600x600+0-10 -> 600x600 at 0,755
        2048x1365+0+0 -> 2048x1365 at 0,0
        2049x10+0+0 -> asset.crop-outside: the crop of 2049x10 at (0, 0) is not within the picture of 2048x1365
        600x600+1449+0 -> asset.crop-outside: the crop of 600x600 at (1449, 0) is not within the picture of 2048x1365
        600x600-1449+0 -> asset.crop-outside: the crop of 600x600 at (-1, 0) is not within the picture of 2048x1365
        `10x10+5` is no crop: write WxH+X+Y with sides from 1 to 65535; with a minus, an offset counts from the right or bottom edge
        `10+5+5` is no crop: write WxH+X+Y with sides from 1 to 65535; with a minus, an offset counts from the right or bottom edge
        `10x10+5+5+5` is no crop: write WxH+X+Y with sides from 1 to 65535; with a minus, an offset counts from the right or bottom edge
        `0x10+0+0` is no crop: write WxH+X+Y with sides from 1 to 65535; with a minus, an offset counts from the right or bottom edge
        `10x10+99999+0` is no crop: write WxH+X+Y with sides from 1 to 65535; with a minus, an offset counts from the right or bottom edge
        `axb+0+0` is no crop: write WxH+X+Y with sides from 1 to 65535; with a minus, an offset counts from the right or bottom edge
        `10x10+5é+1` is no crop: write WxH+X+Y with sides from 1 to 65535; with a minus, an offset counts from the right or bottom edge
    "#]].assert_eq(&(lines.join("\n") + "\n"));
}

proptest! {
    #[test]
    fn a_box_is_never_exceeded_and_one_side_touches_it(
        width in 1u32..5_000, height in 1u32..5_000, w in 1u32..3_000, h in 1u32..3_000,
    ) {
        let resize = Resize::parse(&format!("{w}x{h}")).unwrap();
        let size = resize.target(Size::new(width, height), FIT).unwrap();
        prop_assert!(size.width <= w && size.height <= h);
        prop_assert!(size.width == w || size.height == h);
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,24}") {
        let _ = Crop::parse(&text).map(|crop| crop.rect(Size::new(10, 10)));
        let _ = Resize::parse(&text).map(|resize| resize.target(Size::new(10, 10), FIT));
    }
}
