// Made by npm run client:generate; changes are lost.

export interface paths {
    "/v1/credits/balance": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get the balance */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            granted: boolean;
                            tier: string | null;
                            unlimited: boolean;
                            available: string | null;
                            reserved: string;
                            credited: string;
                            debited: string;
                            overdraft_limit: string | null;
                            period_start: string | null;
                            period_end: string | null;
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/credits/transactions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the ledger */
        get: {
            parameters: {
                query?: {
                    limit?: number;
                    cursor?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            items: {
                                /** Format: uuid */
                                id: string;
                                /** @enum {string} */
                                kind: "grant" | "rollover" | "refund" | "adjust" | "expire_grant" | "reserve" | "denied" | "extend" | "debt" | "consume" | "late" | "release" | "expire_hold";
                                amount: string;
                                hold: string;
                                available_after: string | null;
                                hold_left: string | null;
                                reservation_id: string | null;
                                run_id: string | null;
                                step_id: string | null;
                                operation: string | null;
                                quantity: string | null;
                                cost: string | null;
                                cause: string;
                                /** Format: date-time */
                                occurred_at: string;
                                /** Format: date-time */
                                created_at: string;
                            }[];
                            next_cursor: string | null;
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/credits/reservations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List reservations */
        get: {
            parameters: {
                query?: {
                    limit?: number;
                    cursor?: string;
                    run_id?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            items: {
                                /** Format: uuid */
                                id: string;
                                /** Format: uuid */
                                run_id: string;
                                /** @enum {string} */
                                status: "waiting" | "active" | "settled" | "expired" | "denied";
                                requested: string;
                                budget: string | null;
                                held: string;
                                consumed: string;
                                released: string;
                                late: string;
                                written_off: string;
                                /** Format: date-time */
                                price_as_of: string;
                                expires_at: string | null;
                                closed_at: string | null;
                                close_reason: string | null;
                                /** Format: date-time */
                                created_at: string;
                            }[];
                            next_cursor: string | null;
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/credits/tiers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the tiers */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            items: {
                                code: string;
                                name: string;
                                monthly_credits: string | null;
                                price_cents: number | null;
                                currency: string;
                                max_concurrent_runs: number | null;
                                max_parallel_items: number | null;
                                sandbox_cpu_millis: number;
                                sandbox_memory_mb: number;
                                sandbox_disk_mb: number;
                                sandbox_seconds: number;
                                retention_days: number | null;
                                requests_per_minute: number | null;
                                low_thresholds: string[];
                                rollover_max: string;
                            }[];
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/credits/prices": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the prices that hold now */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            items: {
                                /** Format: uuid */
                                id: string;
                                operation: string;
                                version: number;
                                description: string;
                                price: string;
                                per_quantity: string;
                                unit: string;
                                /** Format: date-time */
                                valid_from: string;
                            }[];
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/credits/subscription": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get the subscription */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            tier: string;
                            next_tier: string | null;
                            /** @enum {string} */
                            status: "trialing" | "active" | "past_due";
                            time_zone: string;
                            /** Format: date-time */
                            period_start: string;
                            /** Format: date-time */
                            period_end: string;
                            external: boolean;
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /**
         * Choose a lower tier, cancel, or take that back
         * @description A lower tier follows when the period ends; `free` cancels, the present tier takes a change back. A higher tier is bought, or given by an operator.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description One key is one effect: a repeat within a day gets the first answer */
                    "idempotency-key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": {
                        tier: string;
                    };
                };
            };
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            tier: string;
                            next_tier: string | null;
                            /** @enum {string} */
                            status: "trialing" | "active" | "past_due";
                            time_zone: string;
                            /** Format: date-time */
                            period_start: string;
                            /** Format: date-time */
                            period_end: string;
                            external: boolean;
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Set the time zone in which months are counted
         * @description The present period ends when it was to end; the next ones are counted from the anchor in the zone.
         */
        patch: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": {
                        time_zone: string;
                    };
                };
            };
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            tier: string;
                            next_tier: string | null;
                            /** @enum {string} */
                            status: "trialing" | "active" | "past_due";
                            time_zone: string;
                            /** Format: date-time */
                            period_start: string;
                            /** Format: date-time */
                            period_end: string;
                            external: boolean;
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/v1/credits/alerts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get the thresholds of credits.low */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            thresholds: string[];
                            inherited: boolean;
                            crossed: string[];
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        /** Set the thresholds of credits.low */
        put: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": {
                        thresholds: string[] | null;
                    };
                };
            };
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            thresholds: string[];
                            inherited: boolean;
                            crossed: string[];
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/credits/usage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Add up usage by day, tool, model or run
         * @description By default of the last 30 days, and days are those of the zone of the subscription.
         */
        get: {
            parameters: {
                query?: {
                    limit?: number;
                    cursor?: string;
                    from?: string;
                    to?: string;
                    time_zone?: string;
                    group_by?: "day" | "tool" | "model" | "run";
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            items: {
                                key: string;
                                cost: string;
                                charged: string;
                                entries: number;
                                input_tokens: string | null;
                                output_tokens: string | null;
                                /** Format: date-time */
                                first_at: string;
                                /** Format: date-time */
                                last_at: string;
                            }[];
                            next_cursor: string | null;
                            /** @enum {string} */
                            group_by: "day" | "tool" | "model" | "run";
                            /** Format: date-time */
                            from: string;
                            /** Format: date-time */
                            to: string;
                            time_zone: string;
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/credits/usage/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Export usage as CSV, entry by entry */
        get: {
            parameters: {
                query?: {
                    from?: string;
                    to?: string;
                    time_zone?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/credits/estimate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Estimate a run or a research
         * @description Nothing is held and nothing is kept: asking again is asking anew, without an Idempotency-Key.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description One key is one effect: a repeat within a day gets the first answer */
                    "idempotency-key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": {
                        playbook?: {
                            name: string;
                            description?: string;
                            /** @default {} */
                            inputs?: {
                                [key: string]: {
                                    /** @enum {string} */
                                    type: "string" | "number" | "boolean" | "file";
                                    description?: string;
                                    default?: string | number | boolean;
                                };
                            };
                            steps: {
                                id: string;
                                name?: string;
                                tool: string;
                                /** @default [] */
                                needs?: string[];
                                /** @default {} */
                                with?: {
                                    [key: string]: unknown;
                                };
                                /** @default [] */
                                artifacts?: string[];
                                /** @default true */
                                required?: boolean;
                                retry?: {
                                    attempts: number;
                                    /** @default 1 */
                                    backoff_seconds?: number;
                                };
                            }[];
                        };
                        goal?: string;
                        research?: {
                            items: number;
                        };
                        budget?: string;
                    };
                };
            };
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            lines: {
                                operation: string;
                                quantity: string;
                                cost: string;
                            }[];
                            low: string | null;
                            likely: string | null;
                            worst: string | null;
                            hold: string | null;
                            allowed: boolean;
                            /** @enum {string} */
                            reason: "ok" | "insufficient" | "no_subscription";
                            waits: boolean;
                            available: string | null;
                            tier: string | null;
                            parallel_items: number | null;
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/accounts/{user_id}/grants": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Grant credits */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description One key is one effect: a repeat within a day gets the first answer */
                    "idempotency-key"?: string;
                };
                path: {
                    user_id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": {
                        /** @enum {string} */
                        kind: "promotional" | "trial" | "purchase" | "correction";
                        amount: string;
                        /** Format: date-time */
                        expires_at?: string;
                        reason: string;
                    };
                };
            };
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            /** Format: uuid */
                            id: string;
                            /** Format: uuid */
                            operator_id: string;
                            action: string;
                            user_id: string | null;
                            target: string;
                            before: {
                                [key: string]: unknown;
                            } | null;
                            after: {
                                [key: string]: unknown;
                            } | null;
                            reason: string | null;
                            request_id: string;
                            /** Format: date-time */
                            created_at: string;
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/accounts/{user_id}/adjustments": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Correct an account, up or down */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description One key is one effect: a repeat within a day gets the first answer */
                    "idempotency-key"?: string;
                };
                path: {
                    user_id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": {
                        amount: string;
                        reason: string;
                    };
                };
            };
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            /** Format: uuid */
                            id: string;
                            /** Format: uuid */
                            operator_id: string;
                            action: string;
                            user_id: string | null;
                            target: string;
                            before: {
                                [key: string]: unknown;
                            } | null;
                            after: {
                                [key: string]: unknown;
                            } | null;
                            reason: string | null;
                            request_id: string;
                            /** Format: date-time */
                            created_at: string;
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/accounts/{user_id}/refunds": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Give usage back, never above what it cost */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description One key is one effect: a repeat within a day gets the first answer */
                    "idempotency-key"?: string;
                };
                path: {
                    user_id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": {
                        /** Format: uuid */
                        transaction_id: string;
                        amount?: string;
                        reason: string;
                    };
                };
            };
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            /** Format: uuid */
                            id: string;
                            /** Format: uuid */
                            operator_id: string;
                            action: string;
                            user_id: string | null;
                            target: string;
                            before: {
                                [key: string]: unknown;
                            } | null;
                            after: {
                                [key: string]: unknown;
                            } | null;
                            reason: string | null;
                            request_id: string;
                            /** Format: date-time */
                            created_at: string;
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/accounts/{user_id}/grants/{grant_id}/revoke": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Take back what is left of a grant */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description One key is one effect: a repeat within a day gets the first answer */
                    "idempotency-key"?: string;
                };
                path: {
                    user_id: string;
                    grant_id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": {
                        reason: string;
                    };
                };
            };
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            /** Format: uuid */
                            id: string;
                            /** Format: uuid */
                            operator_id: string;
                            action: string;
                            user_id: string | null;
                            target: string;
                            before: {
                                [key: string]: unknown;
                            } | null;
                            after: {
                                [key: string]: unknown;
                            } | null;
                            reason: string | null;
                            request_id: string;
                            /** Format: date-time */
                            created_at: string;
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/accounts/{user_id}/tier": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Change the tier of an account */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description One key is one effect: a repeat within a day gets the first answer */
                    "idempotency-key"?: string;
                };
                path: {
                    user_id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": {
                        tier: string;
                        /**
                         * @default at_period_end
                         * @enum {string}
                         */
                        downgrade?: "at_period_end" | "at_once";
                        reason: string;
                    };
                };
            };
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            /** Format: uuid */
                            id: string;
                            /** Format: uuid */
                            operator_id: string;
                            action: string;
                            user_id: string | null;
                            target: string;
                            before: {
                                [key: string]: unknown;
                            } | null;
                            after: {
                                [key: string]: unknown;
                            } | null;
                            reason: string | null;
                            request_id: string;
                            /** Format: date-time */
                            created_at: string;
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/accounts/{user_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Look up an account */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    user_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            granted: boolean;
                            tier: string | null;
                            unlimited: boolean;
                            available: string | null;
                            reserved: string;
                            credited: string;
                            debited: string;
                            overdraft_limit: string | null;
                            period_start: string | null;
                            period_end: string | null;
                            /** Format: uuid */
                            user_id: string;
                            status: string | null;
                            next_tier: string | null;
                            time_zone: string | null;
                            external_ref: string | null;
                            debt: string;
                            live_runs: number;
                            waiting_runs: number;
                            grants: {
                                /** Format: uuid */
                                id: string;
                                source: string;
                                amount: string;
                                remaining: string;
                                priority: number;
                                expires_at: string | null;
                                /** Format: date-time */
                                created_at: string;
                            }[];
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/accounts/{user_id}/drift": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Recompute an account from its ledger */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    user_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            items: {
                                /** Format: uuid */
                                user_id: string;
                                invariant: string;
                                expected: string | null;
                                found: string | null;
                                transaction_id: string | null;
                            }[];
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/prices": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List prices of all times */
        get: {
            parameters: {
                query?: {
                    limit?: number;
                    cursor?: string;
                    operation?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            items: {
                                /** Format: uuid */
                                id: string;
                                operation: string;
                                version: number;
                                description: string;
                                price: string;
                                per_quantity: string;
                                unit: string;
                                /** Format: date-time */
                                valid_from: string;
                                valid_to: string | null;
                            }[];
                            next_cursor: string | null;
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Give an operation another price from a moment in the future on */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description One key is one effect: a repeat within a day gets the first answer */
                    "idempotency-key"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": {
                        operation: string;
                        price: string;
                        per_quantity: number;
                        unit?: string;
                        description?: string;
                        /** Format: date-time */
                        effective_from: string;
                        reason: string;
                    };
                };
            };
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            /** Format: uuid */
                            id: string;
                            /** Format: uuid */
                            operator_id: string;
                            action: string;
                            user_id: string | null;
                            target: string;
                            before: {
                                [key: string]: unknown;
                            } | null;
                            after: {
                                [key: string]: unknown;
                            } | null;
                            reason: string | null;
                            request_id: string;
                            /** Format: date-time */
                            created_at: string;
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/tiers/{code}/versions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List what a tier was, is and will be */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    code: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            items: {
                                version: number;
                                terms: {
                                    name: string;
                                    monthly_credits: string | null;
                                    price_cents: number | null;
                                    currency: string;
                                    max_concurrent_runs: number | null;
                                    max_parallel_items: number | null;
                                    sandbox_cpu_millis: number;
                                    sandbox_memory_mb: number;
                                    sandbox_disk_mb: number;
                                    sandbox_seconds: number;
                                    retention_days: number | null;
                                    requests_per_minute: number | null;
                                    low_thresholds: string[];
                                    rollover_max: string;
                                    rollover_min: string;
                                    overdraft_limit: string | null;
                                };
                                /** Format: date-time */
                                effective_from: string;
                                applied_at: string | null;
                            }[];
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Give a tier other terms from a moment in the future on */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description One key is one effect: a repeat within a day gets the first answer */
                    "idempotency-key"?: string;
                };
                path: {
                    code: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": {
                        terms: {
                            name?: string;
                            monthly_credits?: string;
                            price_cents?: number | null;
                            currency?: string;
                            max_concurrent_runs?: number | null;
                            max_parallel_items?: number | null;
                            sandbox_cpu_millis?: number;
                            sandbox_memory_mb?: number;
                            sandbox_disk_mb?: number;
                            sandbox_seconds?: number;
                            retention_days?: number | null;
                            requests_per_minute?: number | null;
                            rollover_min?: string;
                            rollover_max?: string;
                            overdraft_limit?: string;
                            low_thresholds?: string[];
                        };
                        /** Format: date-time */
                        effective_from: string;
                        reason: string;
                    };
                };
            };
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            /** Format: uuid */
                            id: string;
                            /** Format: uuid */
                            operator_id: string;
                            action: string;
                            user_id: string | null;
                            target: string;
                            before: {
                                [key: string]: unknown;
                            } | null;
                            after: {
                                [key: string]: unknown;
                            } | null;
                            reason: string | null;
                            request_id: string;
                            /** Format: date-time */
                            created_at: string;
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List what operators did */
        get: {
            parameters: {
                query?: {
                    limit?: number;
                    cursor?: string;
                    user_id?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            items: {
                                /** Format: uuid */
                                id: string;
                                /** Format: uuid */
                                operator_id: string;
                                action: string;
                                user_id: string | null;
                                target: string;
                                before: {
                                    [key: string]: unknown;
                                } | null;
                                after: {
                                    [key: string]: unknown;
                                } | null;
                                reason: string | null;
                                request_id: string;
                                /** Format: date-time */
                                created_at: string;
                            }[];
                            next_cursor: string | null;
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/denials": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List runs that were denied */
        get: {
            parameters: {
                query?: {
                    limit?: number;
                    cursor?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            items: {
                                /** Format: uuid */
                                id: string;
                                /** Format: uuid */
                                user_id: string;
                                /** Format: uuid */
                                run_id: string;
                                requested: string;
                                minimum: string;
                                reason: string | null;
                                /** Format: date-time */
                                created_at: string;
                            }[];
                            next_cursor: string | null;
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/drift": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Recompute a part of the accounts, or compare a part of the holds with their runs */
        get: {
            parameters: {
                query?: {
                    of?: "ledger" | "hold";
                    limit?: number;
                    cursor?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            items: {
                                /** @enum {string} */
                                kind: "ledger" | "hold";
                                /** Format: uuid */
                                user_id: string;
                                what: string;
                                expected: string | null;
                                found: string | null;
                                transaction_id: string | null;
                                run_id: string | null;
                            }[];
                            next_cursor: string | null;
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/dead-letters": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List dead events */
        get: {
            parameters: {
                query?: {
                    limit?: number;
                    cursor?: string;
                    consumer?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            items: {
                                sequence: number;
                                consumer: string;
                                error: string;
                                attempts: number | null;
                                /** Format: date-time */
                                died_at: string;
                                subject: string | null;
                                stream_sequence: number | null;
                                event: {
                                    id: string | null;
                                    type: string | null;
                                    version: string | null;
                                    source: string | null;
                                    time: string | null;
                                    user_id: string | null;
                                    root_id: string | null;
                                };
                            }[];
                            next_cursor: string | null;
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/dead-letters/{sequence}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get a dead event */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    sequence: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            sequence: number;
                            consumer: string;
                            error: string;
                            attempts: number | null;
                            /** Format: date-time */
                            died_at: string;
                            subject: string | null;
                            stream_sequence: number | null;
                            event: {
                                id: string | null;
                                type: string | null;
                                version: string | null;
                                source: string | null;
                                time: string | null;
                                user_id: string | null;
                                root_id: string | null;
                            };
                            headers: {
                                [key: string]: string[];
                            };
                            body: string;
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        /** Drop a dead event for good */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    sequence: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/dead-letters/{sequence}/redrive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Give a dead event to its consumer again */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description One key is one effect: a repeat within a day gets the first answer */
                    "idempotency-key"?: string;
                };
                path: {
                    sequence: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            sequence: number;
                            consumer: string;
                            event_id: string;
                            /** @enum {string} */
                            outcome: "done" | "duplicate";
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description Problem details (RFC 9457) */
        Problem: {
            /** @description A URI that names the kind of problem */
            type: string;
            title: string;
            status: number;
            /** @description What is wrong, where, and what to do */
            detail: string;
            /** @description A short name that a program can branch on */
            code: string;
            /** @description The path that was asked */
            instance?: string;
        } & {
            [key: string]: unknown;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
