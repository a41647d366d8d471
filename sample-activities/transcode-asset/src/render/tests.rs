use image::{Rgb, RgbImage, Rgba, RgbaImage};
use serde_json::{Value, json};

use super::*;

const ORIENTATIONS: [Orientation; 8] = [
    Orientation::NoTransforms,
    Orientation::FlipHorizontal,
    Orientation::Rotate180,
    Orientation::FlipVertical,
    Orientation::Rotate90FlipH,
    Orientation::Rotate90,
    Orientation::Rotate270FlipH,
    Orientation::Rotate270,
];

fn output(keys: Value) -> OutputAsset {
    let mut output = json!({"type": "IMAGE", "bucket": "b", "file": "a.png"});
    output.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    serde_json::from_value(output).unwrap()
}

/// Every pixel is another, so that none can be in the wrong place unnoticed.
fn picture(width: u32, height: u32, orientation: Orientation) -> Picture {
    let image = RgbImage::from_fn(width, height, |x, y| {
        Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, ((x ^ y) % 2 * 40) as u8])
    });
    Picture { image: image.into(), orientation, icc: None }
}

fn rendered(picture: &Picture, keys: Value) -> DynamicImage {
    let stored = Size::new(picture.image.width(), picture.image.height());
    let recipe = Recipe::new(&output(keys), upright(stored, picture.orientation)).unwrap();
    let rendered = render(picture, recipe).unwrap().into_owned();
    assert_eq!(Size::new(rendered.width(), rendered.height()), recipe.target);
    rendered
}

/// The plain way: first upright, then the rest.
fn first_upright(picture: &Picture) -> Picture {
    let mut image = picture.image.clone();
    image.apply_orientation(picture.orientation);
    Picture { image, orientation: Orientation::NoTransforms, icc: None }
}

#[test]
fn it_looks_as_if_it_had_been_turned_upright_first() {
    for orientation in ORIENTATIONS {
        let picture = picture(30, 20, orientation);
        let plain = first_upright(&picture);
        for keys in [json!({}), json!({"crop": "7x5+3+2"}), json!({"crop": "7x5-1-4"})] {
            let (fast, slow) = (rendered(&picture, keys.clone()), rendered(&plain, keys));
            assert!(fast == slow, "{orientation:?}");
        }
    }
}

#[test]
fn resizing_before_turning_differs_by_rounding_only() {
    for orientation in ORIENTATIONS {
        let picture = picture(60, 40, orientation);
        let plain = first_upright(&picture);
        for keys in [json!({"crop": "20x30+5-1", "resize": "11x"}), json!({"thumbnail": "16x16"})] {
            let (fast, slow) = (rendered(&picture, keys.clone()), rendered(&plain, keys));
            let apart = fast.as_bytes().iter().zip(slow.as_bytes()).map(|(a, b)| a.abs_diff(*b));
            assert!(apart.max().unwrap() <= 2, "{orientation:?}");
        }
    }
}

#[test]
fn a_picture_that_stays_as_it_is_is_not_copied() {
    let picture = picture(30, 20, Orientation::NoTransforms);
    let recipe = Recipe::new(&output(json!({"resize": "30x20"})), Size::new(30, 20)).unwrap();
    assert!(matches!(render(&picture, recipe).unwrap(), Cow::Borrowed(_)));
}

#[test]
fn one_resize_is_made_of_several() {
    let picture = picture(400, 200, Orientation::NoTransforms);
    let keys = json!({"crop": "300x200+0+0", "resize": "150x", "thumbnail": "50x50"});
    let small = rendered(&picture, keys);
    assert_eq!((small.width(), small.height()), (50, 33));
}

#[test]
fn a_crop_outside_says_where() {
    let asset = output(json!({"crop": "30x30+0+0"}));
    let refusal = Recipe::new(&asset, Size::new(30, 20)).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "asset.crop-outside: crop: the crop of 30x30 at (0, 0) is not within the picture of 30x20"
    );
}

#[test]
fn what_is_not_seen_does_not_show_through() {
    // Half of it is red, the other half see-through with green under it.
    let image = RgbaImage::from_fn(40, 40, |x, _| {
        if x < 20 { Rgba([200, 0, 0, 255]) } else { Rgba([0, 200, 0, 0]) }
    });
    let picture =
        Picture { image: image.into(), orientation: Orientation::NoTransforms, icc: None };
    for keys in [json!({"resize": "9x9"}), json!({"thumbnail": "9x9"}), json!({"resize": "90x"})] {
        let small = rendered(&picture, keys);
        for pixel in small.as_rgba8().unwrap().pixels() {
            let [red, green, _, alpha] = pixel.0;
            assert_eq!(green, 0, "{pixel:?}");
            // The less is seen, the coarser is what can be kept of its colour.
            assert!(alpha < 32 || red >= 196, "{pixel:?}");
        }
    }
}

#[test]
fn every_kind_of_pixel_is_resized() {
    let rgba = DynamicImage::from(RgbaImage::from_pixel(40, 40, Rgba([50, 100, 150, 128])));
    for image in
        [rgba.clone(), rgba.to_rgb8().into(), rgba.to_luma8().into(), rgba.to_luma_alpha8().into()]
    {
        let (color, first) = (image.color(), image.as_bytes().to_vec());
        let channels = usize::from(color.channel_count());
        let picture = Picture { image, orientation: Orientation::NoTransforms, icc: None };
        let small = rendered(&picture, json!({"resize": "10x10"}));
        assert_eq!(small.color(), color);
        for (a, b) in small.as_bytes().iter().zip(first[..channels].iter().cycle()) {
            assert!(a.abs_diff(*b) <= 1, "{color:?}");
        }
    }
}
