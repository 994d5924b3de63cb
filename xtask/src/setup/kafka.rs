//! A real broker of Kafka, its tools and the Java client, from Maven Central, in the cache, and Netty.
//! Whatever needs a real broker takes it from here.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::cache::CacheFolder;
use crate::process;

/// The version of broker and client.
pub(crate) const VERSION: &str = "4.1.0";

/// What Maven is told to fetch, with all that it depends on.
const POM: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>zcprof</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>VERSION</version>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>VERSION</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"#;

/// The version of Netty's archives.
const NETTY: &str = "4.2.20.Final";

/// What Maven is told to fetch of Netty.
const NETTY_POM: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>zcprof</groupId><artifactId>netty</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>io.netty</groupId><artifactId>netty-handler</artifactId><version>VERSION</version>
    </dependency>
  </dependencies>
</project>
"#;

/// The folder of the archives: a class path of `FOLDER/*` is all that a broker needs, besides JDK
/// 17. They are fetched if they are not there; Maven compares each with its checksum.
///
/// # Errors
/// There is no Maven or no JDK, or the archives cannot be fetched.
pub(crate) fn archives(cache: &CacheFolder) -> Result<PathBuf> {
    fetched(cache, "kafka", VERSION, POM)
}

/// The same for programs of Netty.
///
/// # Errors
/// As above.
pub(crate) fn netty(cache: &CacheFolder) -> Result<PathBuf> {
    fetched(cache, "netty", NETTY, NETTY_POM)
}

fn fetched(cache: &CacheFolder, what: &str, version: &str, pom: &str) -> Result<PathBuf> {
    let folder = cache.path(&format!("tools/{what}-{version}"));
    let archives = folder.join("archives");
    let whole = folder.join("whole");
    if whole.is_file() {
        return Ok(archives);
    }
    for program in ["mvn", "javac"] {
        process::find(program)
            .with_context(|| format!("{program} is missing; install maven and openjdk-17-jdk"))?;
    }
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("pom.xml"), pom.replace("VERSION", version))?;
    let log = cache.path(&format!("logs/{what}.log"));
    let mut maven = Command::new("mvn");
    maven.args(["--batch-mode", "--strict-checksums", "dependency:copy-dependencies"]);
    maven.arg("-f").arg(folder.join("pom.xml"));
    maven.arg(format!("-DoutputDirectory={}", archives.display()));
    process::logged(&mut maven, &log)?;
    fs::write(whole, version)?;
    Ok(archives)
}
