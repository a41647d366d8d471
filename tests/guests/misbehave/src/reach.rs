//! Reaches for what it was not given: objects, files, sockets, the environment.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket},
};

use cpe_guest::{
    Failure,
    object_store::{Bucket, Error, PutOptions},
};
use serde_json::{Value, json};

pub(crate) fn read(bucket: String, key: &str) -> Result<Value, Failure> {
    let mut body = Bucket::open(bucket)?.get(key)?;
    let size = std::io::copy(&mut body, &mut std::io::sink())?;
    Ok(json!({ "size": size }))
}

pub(crate) fn write(bucket: String, key: &str) -> Result<Value, Failure> {
    let mut writer = Bucket::open(bucket)?.put(key, PutOptions::default())?;
    writer.write_all(b"must not appear")?;
    writer.finish()?;
    Ok(Value::Null)
}

pub(crate) fn list(bucket: String, prefix: String) -> Result<Value, Failure> {
    let bucket = Bucket::open(bucket)?;
    let keys: Result<Vec<_>, _> = bucket.list(prefix).map(|object| Ok(object?.key)).collect();
    keys.map(Value::from).map_err(|error: Error| error.into())
}

pub(crate) fn copy(bucket: String, key: &str, to: &str) -> Result<Value, Failure> {
    let bucket = Bucket::open(bucket)?;
    bucket.copy(key, &bucket, to)?;
    Ok(Value::Null)
}

pub(crate) fn delete(bucket: String, key: &str) -> Result<Value, Failure> {
    Bucket::open(bucket)?.delete(key)?;
    Ok(Value::Null)
}

/// Tries keys that mean another key to somebody. The answer is what became of each.
pub(crate) fn evil_keys(bucket: String) -> Result<Value, Failure> {
    let bucket = Bucket::open(bucket)?;
    let long = format!("in/{}", "x".repeat(1100));
    let keys = [
        "",
        "..",
        "/in/a",
        "//in/a",
        "in/../secret",
        "in/./a",
        "in/%2e%2e/secret",
        "in/%2E./secret",
        "in/%252e%252e/secret",
        "in%2f..%2fsecret",
        "in\\..\\secret",
        "in/a\0",
        "\0",
        "in/a\r\nb",
        &long,
    ];
    let tried = keys.into_iter().map(|key| {
        let told = |tried: Result<(), Error>| match tried {
            Ok(()) => "done".to_owned(),
            Err(error) => error.reason().to_owned(),
        };
        let read = told(bucket.get(key).map(drop));
        let written = told(bucket.put(key, PutOptions::default()).map(drop));
        let copied = told(bucket.copy("in/a", &bucket, key));
        let deleted = told(bucket.delete(key));
        Value::from(vec![read, written, copied, deleted])
    });
    Ok(tried.collect())
}

/// What it finds of the machine that it runs on.
pub(crate) fn snoop() -> Value {
    let open =
        |path: &str| fs::File::open(path).map(|mut file| file.read_to_string(&mut String::new()));
    let files = ["/etc/passwd", "/proc/self/environ", "/", ".", "../../etc/passwd", "/dev/mem"];
    let opened: Vec<_> = files.into_iter().filter(|path| open(path).is_ok()).collect();
    let written = fs::write("/tmp/x", "x").is_ok() || fs::write("x", "x").is_ok();
    json!({
        "environment": std::env::vars().map(|(name, _)| name).collect::<Vec<_>>(),
        "arguments": std::env::args().collect::<Vec<_>>(),
        "files": opened,
        "folders": fs::read_dir("/").is_ok() || fs::read_dir(".").is_ok(),
        "written": written,
        "stdin": std::io::stdin().read_to_string(&mut String::new()).unwrap_or_default(),
        "tcp": TcpStream::connect(("127.0.0.1", 80)).is_ok(),
        "listens": TcpListener::bind(("127.0.0.1", 0)).is_ok(),
        "udp": UdpSocket::bind(("127.0.0.1", 0))
            .is_ok_and(|socket| socket.send_to(b"x", ("127.0.0.1", 53)).is_ok()),
        "names": ("localhost", 80).to_socket_addrs().is_ok(),
    })
}

/// The value of one variable of its environment.
pub(crate) fn variable(name: &str) -> Value {
    std::env::var(name).map_or(Value::Null, Value::from)
}

/// Uses its scratch space: files, folders and links, some of which lead out of it.
pub(crate) fn scratch(bytes: u64, forever: bool) -> std::io::Result<Value> {
    fs::create_dir_all("/tmp/folder")?;
    let chunk = vec![b'x'; 1 << 16];
    loop {
        let mut file = fs::File::create("/tmp/folder/file")?;
        let mut left = bytes;
        while left > 0 {
            let length = left.min(chunk.len() as u64);
            file.write_all(
                chunk.get(..usize::try_from(length).unwrap_or_default()).unwrap_or_default(),
            )?;
            left -= length;
        }
        drop(file);
        if !forever {
            break;
        }
        fs::remove_file("/tmp/folder/file")?;
    }
    let outside = ["/tmp/../etc/passwd", "/tmp/folder/../../../etc/passwd", "/tmp//etc/passwd"];
    let escaped: Vec<_> = outside.into_iter().filter(|path| fs::read(path).is_ok()).collect();
    let names = fs::read_dir("/tmp")?.map(|entry| Ok(entry?.file_name().into_string()));
    let names: std::io::Result<Vec<_>> = names.collect();
    let names: Vec<_> = names?.into_iter().flatten().collect();
    let size = fs::metadata("/tmp/folder/file")?.len();
    Ok(json!({ "names": names, "size": size, "escaped": escaped, "links": links_out() }))
}

/// Links that lead out of the scratch space, and what can be read through them.
#[cfg(target_family = "wasm")]
fn links_out() -> Vec<&'static str> {
    let targets = ["/etc/passwd", "../../../../etc/passwd", "/proc/self/environ"];
    let given = wasip2::filesystem::preopens::get_directories();
    let reads = |target: &str| {
        let _ = fs::remove_file("/tmp/link");
        // Whether a link can be made at all is not this guest's concern.
        for (folder, _) in &given {
            let _ = folder.symlink_at(target, "link");
        }
        fs::read("/tmp/link").is_ok()
    };
    targets.into_iter().filter(|target| reads(target)).collect()
}

#[cfg(not(target_family = "wasm"))]
fn links_out() -> Vec<&'static str> {
    Vec::new()
}
