<?php

$request = curl_init('https://parley.example/api/v1/knowledge-bases/KNOWLEDGE_BASE_ID/search');
curl_setopt_array($request, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_FAILONERROR => true,
    CURLOPT_HTTPHEADER => [
        'Authorization: Bearer ' . getenv('PARLEY_API_KEY'),
        'Content-Type: application/json',
    ],
    CURLOPT_POSTFIELDS => json_encode(['query' => 'When do you ship?']),
]);
$answer = json_decode(curl_exec($request), true);
foreach ($answer['data']['results'] as $result) {
    echo $result['text'], "\n";
}
