//! What cannot be, and what is said of it.

use anyhow::Result;
use flags_core::{ErrorKind, Storage as _};
use flags_redis::{RedisBuilder, RedisStorage};
use flags_tests::cluster::Cluster;
use flags_tests::sentinel::{MASTER, Sentinels};
use flags_tests::server::{Server, patient};

use crate::common::{DRIVERS, PREFIX, alone, builder};

#[tokio::test]
async fn a_cluster_wants_a_hash_tag_and_no_number() -> Result<()> {
    for driver in DRIVERS {
        // Nobody is asked.
        let open = |url: &str| Ok::<_, flags_core::Error>(RedisStorage::builder(url)?.driver(driver).open());
        for prefix in ["", "prefix=ff:", "prefix={ff"] {
            let error = open(&format!("redis+cluster://127.0.0.1:1?{prefix}"))?.await.unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::Invalid, Some("prefix")), "{prefix}");
            assert!(error.to_string().contains("{feature_flags}:"), "{error}");
        }
        let error = open("redis+cluster://127.0.0.1:1?prefix={ff}:&db=1")?.await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Invalid, Some("db")));
    }
    Ok(())
}

#[tokio::test]
async fn a_cluster_and_a_server_alone_are_told_apart() -> Result<()> {
    let _alone = alone().await;
    let (cluster, server) = (Cluster::start(2, 0).await?, Server::start(&[])?);
    for driver in DRIVERS {
        // The default prefix, whose keys are on both nodes.
        let error = patient(&cluster.urls()[0])?.driver(driver).open().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
        assert!(error.to_string().contains("redis+cluster://"), "{error}");
        let url = server.url().replace("redis://", "redis+cluster://");
        let error = builder(&url, driver)?.open().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
        assert!(error.to_string().contains("redis://"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn the_documented_user_is_enough_in_a_cluster_and_under_sentinels() -> Result<()> {
    let _alone = alone().await;
    let docs = include_str!("../../../crates/flags-redis/src/lib.rs");
    let (_, line) = docs.split_once("ACL SETUSER app on >password ").expect("a line in the documentation");
    let line = line.lines().next().expect("a line").replace("feature_flags:", PREFIX);
    let (cluster, group) = (Cluster::start(2, 0).await?, Sentinels::start(0).await?);
    let (_, node) = crate::common::owner(&cluster).await?;
    for (url, more, mut raws) in [
        (cluster.url(), "+cluster +asking", vec![cluster.raw(node).await?, cluster.raw(1 - node).await?]),
        (group.url(), "+role", vec![group.raw(0).await?]),
    ] {
        for raw in &mut raws {
            let mut user = redis::cmd("ACL");
            user.arg("SETUSER").arg("app").arg("on").arg(">s3cret").arg(line.split(' ').collect::<Vec<_>>());
            let _: () = user.arg(more.split(' ').collect::<Vec<_>>()).query_async(raw).await?;
        }
        for driver in DRIVERS {
            let store = builder(&url, driver)?.credentials(Some("app"), "s3cret").open().await?;
            let put = flags_core::storage::Batch::new()
                .put(crate::common::flag(&format!("{driver:?}")), flags_core::storage::Expect::Any);
            store.commit(put).await?;
            let wrong = builder(&url, driver)?.credentials(Some("app"), "wr0ng").open().await.unwrap_err();
            assert_eq!(wrong.kind(), ErrorKind::Denied, "{wrong:?}");
            assert!(!format!("{wrong:?}").contains("wr0ng"));
        }
    }
    Ok(())
}

#[tokio::test]
async fn sentinels_may_have_a_user_and_a_password_of_their_own() -> Result<()> {
    let _alone = alone().await;
    let group = Sentinels::start(0).await?;
    for sentinel in 0..3 {
        let mut raw = flags_tests::server::raw(&group.sentinel(sentinel).url()).await?;
        let mut user = redis::cmd("ACL");
        // What the documentation asks for.
        user.arg("SETUSER").arg("watcher").arg("on").arg(">s3cret").arg("-@all").arg("+sentinel");
        let _: () = user.query_async(&mut raw).await?;
    }
    for driver in DRIVERS {
        let watched = |password| {
            Ok::<_, flags_core::Error>(
                patient(&group.url())?
                    .driver(driver)
                    .prefix(PREFIX)
                    .sentinel_credentials(Some("watcher"), password),
            )
        };
        let put = flags_core::storage::Batch::new()
            .put(crate::common::flag(&format!("{driver:?}")), flags_core::storage::Expect::Any);
        watched("s3cret")?.open().await?.commit(put).await?;
        let url = format!("{}?sentinel_user=watcher&sentinel_password=s3cret", group.url());
        patient(&url)?.driver(driver).prefix(PREFIX).open().await?;
        let wrong = watched("wr0ng")?.open().await.unwrap_err();
        assert_eq!(wrong.kind(), ErrorKind::Denied, "{wrong:?}");
        assert!(!format!("{wrong:?}").contains("wr0ng"));
    }
    Ok(())
}

#[tokio::test]
async fn builders_do_what_urls_do() -> Result<()> {
    let _alone = alone().await;
    let (cluster, group) = (Cluster::start(2, 0).await?, Sentinels::start(0).await?);
    let hosts = |url: &str| -> Vec<String> {
        let hosts = url.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
        hosts.split(',').map(str::to_owned).collect()
    };
    for driver in DRIVERS {
        let one = group.server(0);
        for builder in [
            RedisBuilder::cluster(hosts(&cluster.url()))?,
            RedisBuilder::sentinel(hosts(&group.url()), MASTER)?.database(2),
            RedisBuilder::server(format!("127.0.0.1:{}", one.port()))?.database(2),
            RedisBuilder::socket(one.socket()).database(2),
        ] {
            let shown = format!("{:?}", builder.clone().sentinel_credentials(None, "s3cret"));
            assert!(!shown.contains("s3cret"), "{shown}");
            let limit = std::time::Duration::from_secs(10);
            let builder = builder.connect_timeout(limit).command_timeout(limit).deadline(limit);
            let store = builder.driver(driver).prefix(PREFIX).open().await?;
            assert!(store.health().await?.warnings.iter().all(|warning| !warning.contains("replica")));
        }
        let nobody = RedisBuilder::sentinel(hosts(&group.url()), "nobody")?.driver(driver);
        let error = nobody.deadline(std::time::Duration::from_secs(1)).open().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(format!("{error:?}").contains("nobody"), "{error:?}");
    }
    Ok(())
}
