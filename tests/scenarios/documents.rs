//! Documents: insert, query, update, upsert, delete (contract 4, 6).

use super::{Scenario, ok, refused};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "an inserted document is stamped and comes back",
        signed_in: true,
        steps: &[
            ok(
                "insertone",
                r#"{"collectionname":"$C","item":"{\"name\":\"first\",\"_type\":\"Test\",\"n\":1}"}"#,
                "insertonereply",
                &[
                    r#""_type":"test""#,
                    r#""_version":0"#,
                    r#""_createdby":"root""#,
                    r#""_acl":[{"#,
                    r#""rights":65535"#,
                    "_modified",
                ],
                &[],
            ),
            ok(
                "query",
                r#"{"collectionname":"$C","query":"{\"_id\":\"$ID0\"}"}"#,
                "queryreply",
                &[r#""name":"first""#],
                &[],
            ),
        ],
    },
    Scenario {
        name: "projection, order, top and skip",
        signed_in: true,
        steps: &[
            ok(
                "insertmany",
                r#"{"collectionname":"$C","items":"[{\"n\":1,\"s\":\"a\"},{\"n\":2,\"s\":\"b\"},{\"n\":3,\"s\":\"c\"}]"}"#,
                "insertmanyreply",
                &[r#""n":1"#, r#""n":2"#, r#""n":3"#],
                &[],
            ),
            ok(
                "query",
                r#"{"collectionname":"$C","query":"{}","projection":"{\"n\":1,\"_id\":0}","orderby":"{\"n\":-1}","top":1,"skip":1}"#,
                "queryreply",
                &[r#""results":"[{"n":2}]""#],
                &[],
            ),
            ok(
                "count",
                r#"{"collectionname":"$C","query":"{\"n\":{\"$gt\":1}}"}"#,
                "countreply",
                &[r#""result":2"#],
                &[],
            ),
        ],
    },
    Scenario {
        name: "an update keeps what is the server's and counts versions",
        signed_in: true,
        steps: &[
            ok(
                "insertone",
                r#"{"collectionname":"$C","item":"{\"name\":\"before\",\"gone\":true,\"_kept\":1,\"_cut\":2}"}"#,
                "insertonereply",
                &[r#""_version":0"#],
                &[],
            ),
            ok(
                "updateone",
                r#"{"collectionname":"$C","item":"{\"_id\":\"$ID0\",\"name\":\"after\",\"_cut\":null}"}"#,
                "updateonereply",
                &[
                    r#""name":"after""#,
                    r#""_version":1"#,
                    r#""_kept":1"#,
                    r#""_createdby":"root""#,
                ],
                &["gone", "_cut"],
            ),
            refused(
                "updateone",
                r#"{"collectionname":"$C","item":"{\"name\":\"x\"}"}"#,
                "Cannot update item without _id",
            ),
            refused(
                "updateone",
                r#"{"collectionname":"$C","item":"{\"_id\":\"nobody\",\"name\":\"x\"}"}"#,
                "item nobody not found in",
            ),
        ],
    },
    Scenario {
        name: "insert-or-update finds by its key",
        signed_in: true,
        steps: &[
            ok(
                "insertorupdateone",
                r#"{"collectionname":"$C","uniqeness":"name","item":"{\"name\":\"key\",\"age\":1}"}"#,
                "insertorupdateonereply",
                &[r#""age":1"#],
                &[],
            ),
            ok(
                "insertorupdateone",
                r#"{"collectionname":"$C","uniqeness":"name","item":"{\"name\":\"key\",\"age\":2}"}"#,
                "insertorupdateonereply",
                &[r#""age":2"#, r#""_version":1"#],
                &[],
            ),
            ok(
                "count",
                r#"{"collectionname":"$C","query":"{}"}"#,
                "countreply",
                &[r#""result":1"#],
                &[],
            ),
            ok(
                "insertorupdatemany",
                r#"{"collectionname":"$C","uniqeness":"name","items":"[{\"name\":\"key\",\"age\":3},{\"name\":\"other\",\"age\":4}]"}"#,
                "insertorupdatemanyreply",
                &[r#""age":3"#, r#""age":4"#],
                &[],
            ),
            ok(
                "insertorupdatemany",
                r#"{"collectionname":"$C","uniqeness":"name","items":"[{\"name\":\"key\"}]","skipresults":true}"#,
                "insertorupdatemanyreply",
                &[r#""results":"[]""#],
                &[],
            ),
        ],
    },
    Scenario {
        name: "deletes count, and deleteone answers 1 in any case",
        signed_in: true,
        steps: &[
            ok(
                "insertone",
                r#"{"collectionname":"$C","item":"{\"n\":1}"}"#,
                "insertonereply",
                &[],
                &[],
            ),
            ok(
                "insertmany",
                r#"{"collectionname":"$C","items":"[{\"n\":2},{\"n\":3}]","skipresults":true}"#,
                "insertmanyreply",
                &[r#""results":"[]""#],
                &[],
            ),
            ok(
                "deleteone",
                r#"{"collectionname":"$C","id":"$ID0"}"#,
                "deleteonereply",
                &[r#""affectedrows":1"#],
                &[],
            ),
            ok(
                "deleteone",
                r#"{"collectionname":"$C","id":"$ID0"}"#,
                "deleteonereply",
                &[r#""affectedrows":1"#],
                &[],
            ),
            ok(
                "deletemany",
                r#"{"collectionname":"$C","query":"{\"n\":{\"$gt\":1}}"}"#,
                "deletemanyreply",
                &[r#""affectedrows":2"#],
                &[],
            ),
            ok(
                "count",
                r#"{"collectionname":"$C","query":"{}"}"#,
                "countreply",
                &[],
                &[r#""result":1"#, r#""result":2"#, r#""result":3"#],
            ),
            refused("deleteone", r#"{"collectionname":"$C"}"#, "id "),
        ],
    },
    Scenario {
        name: "dates are dates, keys keep their dots, buffers stay",
        signed_in: true,
        steps: &[
            ok(
                "insertone",
                r#"{"collectionname":"$C","item":"{\"at\":\"2024-05-06T07:08:09.123Z\",\"a.b\":1,\"notadate\":\"2024-99-06T07:08:09.123Z\"}"}"#,
                "insertonereply",
                &[
                    r#""at":"2024-05-06T07:08:09.123Z""#,
                    r#""a.b":1"#,
                    "2024-99",
                ],
                &[],
            ),
            ok(
                "count",
                r#"{"collectionname":"$C","query":"{\"at\":{\"$gt\":\"2024-05-06T07:08:09.000Z\"}}"}"#,
                "countreply",
                &[r#""result":1"#],
                &[],
            ),
            ok(
                "count",
                r#"{"collectionname":"$C","query":"{\"at\":{\"$type\":\"date\"}}"}"#,
                "countreply",
                &[r#""result":1"#],
                &[],
            ),
        ],
    },
    Scenario {
        name: "a new collection is listed at once",
        signed_in: true,
        steps: &[
            ok(
                "insertone",
                r#"{"collectionname":"$C","item":"{}"}"#,
                "insertonereply",
                &[],
                &[],
            ),
            ok(
                "listcollections",
                "{}",
                "listcollectionsreply",
                &["entities", "audit", "s_a_new_collection"],
                &["_hist"],
            ),
        ],
    },
    Scenario {
        name: "a collection that does not exist reads as empty",
        signed_in: true,
        steps: &[ok(
            "query",
            r#"{"collectionname":"$C","query":"{}"}"#,
            "queryreply",
            &[r#""results":"[]""#],
            &[],
        )],
    },
];
