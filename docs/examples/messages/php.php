<?php

$query = ['limit' => 100];
do {
    $url = 'https://parley.example/api/v1/conversations/CONVERSATION_ID/messages';
    $request = curl_init($url . '?' . http_build_query($query));
    curl_setopt_array($request, [
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_FAILONERROR => true,
        CURLOPT_HTTPHEADER => ['Authorization: Bearer ' . getenv('PARLEY_API_KEY')],
    ]);
    $page = json_decode(curl_exec($request), true)['data'];
    foreach ($page['messages'] as $message) {
        echo $message['role'], ': ', $message['text'], "\n";
    }
    $query['cursor'] = $page['nextCursor'];
} while ($query['cursor'] !== null);
